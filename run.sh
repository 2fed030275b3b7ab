#!/usr/bin/env bash
# Shows the main job: a virtual bare-metal server network-boots from the appliance, enrols, joins a cluster and becomes Ready.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'USAGE'
./run.sh [--firmware uefi|secureboot|arm64|http|bios] [--machines N] [--keep]

Installs what is missing, builds, starts the appliance in a network namespace of its own, and lets virtual bare-metal
servers boot from it, enrol, join a cluster and become Ready. AWS and the cluster are doubles in that namespace. Nothing
of it reaches this machine's network, and nothing is left behind.

  --firmware  what the servers start with; uefi when not given
                uefi        UEFI x86-64 by PXE, then iPXE
                secureboot  UEFI x86-64 with Secure Boot on, by shim and GRUB
                arm64       UEFI arm64, by shim and GRUB; its image is built first, which takes ten minutes
                http        UEFI x86-64 by HTTP Boot, then iPXE
                bios        legacy BIOS, with iPXE in the network card
  --machines  how many servers, 1 to 8; 1 when not given
  --keep      leave it running at the end, and say how to look around, until Ctrl-C
USAGE
}

image=diskless
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage; exit 0 ;;
    arm64 | --firmware=arm64) image=diskless-arm64 ;;
  esac
done
if [ "$(id -u)" -ne 0 ]; then
  echo "run.sh needs root: it makes network namespaces and installs what is missing. Try: sudo ./run.sh $*" >&2
  exit 1
fi

echo "== What is needed"
.ci/install boot "$image"
# shellcheck source=.ci/environment
. .ci/environment

echo "== Build"
dotnet publish src/Provisioner -c Release -o artifacts/run -v quiet
dotnet build tests/Provisioner.Lab -c Release -v quiet --nologo
export PROVISIONER_PROGRAM="$PWD/artifacts/run/provisioner"

exec artifacts/bin/Provisioner.Lab/release/Provisioner.Lab show "$@"
