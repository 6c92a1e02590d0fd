# _diagnose.sh - sourced by test/diagnose/*.sh: a trouble is produced, and `causewayctl diagnose` is asked what it is.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   judged ROW CMD...   produces it by CMD, whose says() asks for the verdict instead of down_reason
#   verdict ROW         within $PATIENCE s diagnose says ROW, in both languages; leaves a figure for the matrix
#   stays ROW           and says the same 3 s later
#   run_diagnoses NAME LANES   runs the declared rows, --long three times, and prints the confusion matrix

. "$(dirname "${BASH_SOURCE[0]}")/../support/rows.sh"

judged() { WANT=$1; shift; "$@"; }
says() { verdict "$WANT"; }

ask() { ctl_json gwa 'j["verdict"] + ("" if j["certain"] else "?") + (" or " + ",".join(j["others"]) if j["others"] else "")' diagnose net "$@"; }
row_is() { [[ $(ctl_json gwa 'j["verdict"]' diagnose net) == "$1" ]]; }

verdict() {
  local said
  step "diagnose says $1"
  wait_for "${PATIENCE:-30}" row_is "$1" || true
  said=$(ask)
  ctl gwa diagnose net
  ctl gwa diagnose net --lang zh
  figure "row $1 verdict $said"
  is "the verdict" "${said%%[? ]*}" "$1"
  is "the verdict in Chinese" "$(ctl_json gwa 'j["verdict"]' diagnose net --lang zh)" "$1"
  # Nothing unfilled, and a cure for either side where something is wrong.
  ctl_json gwa 'j["text"] and "{" not in j["text"] + j["cure_here"] + j["cure_there"] and (j["verdict"] == "healthy" or (j["evidence"] and j["cure_here"] and j["cure_there"])) or sys.exit(1)' diagnose net >/dev/null ||
    { step "the verdict's texts: $(ctl gwa --json diagnose net)"; return 1; }
}
stays() {
  verdict "$1"
  sleep 3
  is "the verdict 3 s later" "$(ctl_json gwa 'j["verdict"]' diagnose net)" "$1"
}

run_diagnoses() { # NAME LANES
  local i times=1 titles=("${row_titles[@]}") calls=("${row_calls[@]}") out
  [[ ${CAUSEWAY_LONG:-no} == no ]] || times=3
  for ((i = 1; i < times; i++)); do
    row_titles+=("${titles[@]/%/ (again $i)}") row_calls+=("${calls[@]}")
  done
  out=$(mktemp "/tmp/causeway-$1-matrix.XXXXXX")
  run_rows "$1" "$2" | tee "$out"
  # Row produced x verdict given: how often.
  sed -n 's/^figure row \([^ ]*\) verdict \([^ ?]*\).*/\1 \2/p' "$out" | sort | uniq -c |
    awk '{ printf "figure matrix: %s produced, %s said: %d\n", $2, $3, $1 }'
  rm -f "$out"
}
