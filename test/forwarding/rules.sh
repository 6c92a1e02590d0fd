#!/usr/bin/env bash
# The stateless filter (`rules`) on real traffic: what each rule permits arrives, what it denies does not, by protocol,
# port, prefix and direction; each counts exactly what it decided about, under its name.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

rule() { ctl_json gwa "next(r['packets'] for r in j['rules'] if r['name'] == '$1')" counters; }
denied() { drops gwa policy_discard; }

serve_udp() { # PORT: answers each datagram
  spawn hostb "udp$1" /usr/bin/python3 -u -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.20.1.2", int(sys.argv[1])))
print("ready")
while True:
    data, who = s.recvfrom(2000)
    print("got", len(data))
    s.sendto(data, who)' "$1"
  serves() { grep -q ready "$STATE/$1.out"; }
  wait_for 5 serves "udp$1"
}
ask_udp() { # PORT COUNT: how many of so many datagrams were answered
  in_ns hosta /usr/bin/python3 - "$@" <<'PYTHON'
import socket, sys
port, count = map(int, sys.argv[1:])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.20.1.2", port))
s.settimeout(1)
answers = 0
for i in range(count):
    s.send(b"question")
    try:
        answers += s.recv(100) == b"question"
    except TimeoutError:
        pass
print(answers)
PYTHON
}
serve_tcp() { # NS ADDRESS PORT
  spawn "$1" "tcp$3" /usr/bin/python3 -u -c '
import socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready")
while True:
    c, _ = s.accept()
    c.sendall(b"hello")
    c.close()' "$2" "$3"
  serves() { grep -q ready "$STATE/$1.out"; }
  wait_for 5 serves "tcp$3"
}
ask_tcp() { # NS ADDRESS PORT: prints "hello", or what became of it
  in_ns "$1" /usr/bin/python3 - "$2" "$3" <<'PYTHON'
import socket, sys
try:
    c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
    print(c.recv(10).decode())
except OSError as e:
    print(type(e).__name__)
PYTHON
}

by_name() {
  CONF_EXTRA_A='rules = (
    { name = "no-dns"; action = "deny"; in = "lan"; out = "net"; to = "10.20.1.0/24[udp/53]"; },
    { name = "web"; action = "permit"; in = "lan"; out = "net"; to = "10.20.1.2/32[tcp/8080]"; },
    { name = "other-tcp"; action = "deny"; in = "lan"; out = "net"; to = "0.0.0.0/0[tcp]"; },
    { name = "guests"; action = "deny"; in = "lan"; from = "10.10.1.128/25"; },
    { name = "inward-ssh"; action = "deny"; in = "net"; out = "lan"; to = "10.10.1.0/24[tcp/22]"; },
    { name = "pings"; action = "permit"; in = "lan"; out = "net"; to = "10.20.1.0/24[icmp]"; },
    { name = "clear"; action = "permit"; in = "lan"; out = "wan"; to = "0.0.0.0/0"; } );'
  causeway_config gwa
  causeway_config gwb
  causeway_start gwb
  causeway_start gwa
  expect "the tunnel comes up" wait_for 20 tunnel_is gwa established
  expect "pings" ping_through hosta 5
  is "what the rule for pings counted" "$(rule pings)" 5
  # The kernel puts fragments together before an af_packet port sees them: one packet each.
  expect "pings in fragments" ping_through hosta 3 -s 3000
  is "what the rule for pings counted with them" "$(rule pings)" 8

  serve_udp 53
  serve_udp 5353
  is "answers to datagrams that a rule denies" "$(ask_udp 53 4)" 0
  is "what the rule counted" "$(rule no-dns)" 4
  is "what was dropped under its name" "$(denied)" 4
  is "what arrived of it" "$(grep -c got "$STATE/udp53.out" || true)" 0
  is "answers to datagrams that no rule takes" "$(ask_udp 5353 4)" 4

  serve_tcp hostb 10.20.1.2 8080
  serve_tcp hostb 10.20.1.2 8081
  is "TCP to the port that is permitted" "$(ask_tcp hosta 10.20.1.2 8080)" hello
  is "TCP to another port" "$(ask_tcp hosta 10.20.1.2 8081)" TimeoutError
  matches "what the rule for other TCP counted" "$(rule other-tcp)" '^[12]$'
  is "the sum of denials" "$(denied)" $((4 + $(rule other-tcp)))

  step "from the other side: one port is closed, and only it"
  serve_tcp hosta 10.10.1.2 22
  serve_tcp hosta 10.10.1.2 2222
  is "TCP to the closed port" "$(ask_tcp hostb 10.10.1.2 22)" TimeoutError
  is "TCP to the next" "$(ask_tcp hostb 10.10.1.2 2222)" TimeoutError  # its answers are other TCP of ours
  matches "what the rule for the closed port counted" "$(rule inward-ssh)" '^[12]$'
  is "pings that no rule takes on that way" "$(ping_through hostb 3 | grep -c ' 0% packet loss')" 1

  step "a source within a prefix"
  ip -n "$LAB-hosta" addr add 10.10.1.130/24 dev eth0
  is "pings from it that are answered" "$(in_ns hosta ping -n -q -c 3 -i 0.2 -W 1 -I 10.10.1.130 10.20.1.2 | grep -c ' 100% packet loss')" 1
  is "what its rule counted" "$(rule guests)" 3
  ip -n "$LAB-hosta" addr del 10.10.1.130/24 dev eth0

  step "a rule lets nothing pass that an untrusted port refuses"
  is "pings in clear" "$(in_ns hosta ping -n -q -c 2 -i 0.2 -W 1 198.51.100.1 | grep -c ' 100% packet loss')" 1
  is "what its rule counted" "$(rule clear)" 0
  is "what was refused" "$(drops gwa untrusted_clear)" 2
  step "counters as a table"
  matches "the table" "$(ctl gwa counters)" '^no-dns +deny +4$'
}

scenarios rules
scenario "rules between a port and a tunnel, counted by name" by_name
