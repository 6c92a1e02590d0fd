#!/usr/bin/env bash
# The rows that end a negotiation of IKEv1, and what diagnose says of each. Produced as suite clouds does
# (test/support/rows_ikev1.sh). --long: every way to produce them.
set -euo pipefail
. "$(dirname "$0")/_diagnose.sh"
. "$(dirname "$0")/../support/rows_ikev1.sh"

row "D1 the keys differ" judged D1 d1
row "D3 main mode against aggressive" judged D3 d3_mode
row "D8 aggressive mode: the key" judged D8 d8_aggressive
row "D8 quick mode: the networks' hash (script)" judged D8 d8_quick
row "D9 phase 2's algorithms differ" judged D9 d9_peer
row "D10 only PFS differs" judged D10 d10_peer
if [[ ${CAUSEWAY_LONG:-no} != no ]]; then
  row "D1 the peer says nothing (script)" judged D1 d1_silent
  row "D1 PAYLOAD-MALFORMED in clear (script)" judged D1 d1_malformed
  row "D2 the peer speaks IKEv2" judged D2 d2_version
  row "D2 no phase 1 proposal in common" judged D2 d2_proposal
  row "D3 our identity is refused (script)" judged D3 d3_identity
  row "D4 the peer's identity" judged D4 d4
  row "D5 UDP is filtered" judged D5 d5_silent
  row "D5 500 answers, 4500 does not" judged D5 d5_4500
  row "D5 the first large message is lost" judged D5 d5_large
  row "D6 not known under this address (script)" judged D6 d6
  row "D7 the networks differ" judged D7 d7
  row "D9 or PFS: we initiate, and the protocol does not say which" judged D9 d9
fi
run_diagnoses negotiation-ikev1 3
