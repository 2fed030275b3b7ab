#!/usr/bin/env bash
# Installs what is missing and runs every test. The last line is 'N passed, N failed, N skipped'.
#   --quick      leaves out the lab: no root, no virtual machines
#   --appliance  also builds the appliance's disk image and boots a server from it, which takes half an hour more in software emulation
set -euo pipefail
cd "$(dirname "$0")"

quick=
appliance=
case "${1-}" in
  '') ;;
  --quick) quick=yes ;;
  --appliance) appliance=appliance ;;
  *) echo "./test.sh [--quick | --appliance]" >&2; exit 2 ;;
esac

lab=tests/Provisioner.Lab
if [ -n "$quick" ]; then
  lab=
elif [ "$(id -u)" -ne 0 ]; then
  echo "== Not root: the lab's tests, which need network namespaces, are skipped"
else
  echo "== What is needed"
  status=0
  .ci/install --packages boot peers browser diskless kubernetes container ${appliance:+"$appliance"} || status=$?
  export PROVISIONER_BROWSER_REQUIRED=1
  # 3, 4, 5: an image to boot, an API server, a machine to install on could not be had here. The tests that need it skip then, and say so.
  case "$status" in
    0 | 3) ;;
    *) exit "$status" ;;
  esac
  # Built from source, which takes minutes: meanwhile the rest is made.
  .ci/install kubernetes &
  kubernetes=$!
  [ "$status" -ne 0 ] || .ci/install diskless || status=$?
  case "$status" in
    0) export PROVISIONER_LAB_REQUIRED=1 ;;
    3) ;;
    *) exit "$status" ;;
  esac
  status=0
  .ci/install container || status=$?
  case "$status" in
    0) export PROVISIONER_CONTAINER_REQUIRED=1 ;;
    5) ;;
    *) exit "$status" ;;
  esac
fi
# shellcheck source=.ci/environment
. .ci/environment

echo "== Build"
dotnet build Provisioner.sln -v quiet --nologo
if [ -n "$appliance" ] && [ -n "${PROVISIONER_LAB_REQUIRED-}" ]; then
  status=0
  .ci/install appliance || status=$?
  case "$status" in
    0) export PROVISIONER_APPLIANCE_REQUIRED=1 ;;
    6) ;;
    *) exit "$status" ;;
  esac
fi

if [ -n "${kubernetes-}" ]; then
  status=0
  wait "$kubernetes" || status=$?
  case "$status" in
    0) export PROVISIONER_KUBERNETES_REQUIRED=1 ;;
    4) ;;
    *) exit "$status" ;;
  esac
fi

results=$(mktemp)
trap 'rm -f "$results"' EXIT
failed=
run() {
  echo "== $1"
  local status=0
  dotnet test "$1" --no-build --nologo --logger "console;verbosity=$2" </dev/null 2>&1 | tee -a "$results" || status=$?
  [ "$status" -eq 0 ] && return
  failed=yes
  # 1 is a failed test, which says so itself.
  [ "$status" -eq 1 ] || echo "dotnet test ended with exit code $status"
}
run tests/Provisioner.Protocols.Tests minimal
run tests/Provisioner.Tests minimal
if [ -n "$lab" ]; then
  # Each of these boots a machine: say so as each ends.
  run "$lab" normal
fi

# Two closing forms, one for each verbosity: 'Passed!  - Failed: 0, Passed: 2, Skipped: 1, …', and a block of lines under 'Total tests: 3'.
awk -v broken="$failed" '
  /^(Passed|Failed)!  - / { gsub(",", ""); f += $4; p += $6; s += $8 }
  /^Total tests: /        { block = 1; next }
  block && /^ +Passed: /  { p += $2; next }
  block && /^ +Failed: /  { f += $2; next }
  block && /^ +Skipped: / { s += $2; next }
  { block = 0 }
  END {
    # A test host that broke, or a project in which nothing ran, is a failure though it counted none.
    if (broken != "" && f == 0 || p == 0) f++
    printf "%d passed, %d failed, %d skipped\n", p, f, s
    exit f > 0
  }' "$results"
