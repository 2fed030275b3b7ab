#!/usr/bin/env bash
# Made the fixtures beside it, with OpenSSL 3.0.19 and Python 3.11; the private keys are thrown away. Makes those that are missing.
set -euo pipefail
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT

# NAME "GENPKEY OPTIONS" [REQ OPTIONS …]
request() {
  local name=$1 how=$2
  shift 2
  [ ! -s "$name.csr.pem" ] || return 0
  # shellcheck disable=SC2086
  openssl genpkey $how -out "$keys/$name" 2>/dev/null
  openssl req -new -key "$keys/$name" -out "$name.csr.pem" -config "$keys/config" -sha256 "$@"
}

ec() { printf -- '-algorithm EC -pkeyopt ec_paramgen_curve:%s -pkeyopt ec_param_enc:named_curve' "$1"; }
rsa() { printf -- '-algorithm RSA -pkeyopt rsa_keygen_bits:%s' "$1"; }

cat >"$keys/config" <<'CONFIG'
[req]
distinguished_name = name
attributes = none
prompt = no
[name]
CN = n1.example
[none]
[challenge]
challengePassword = tls-unique
CONFIG

request p256 "$(ec P-256)"
request p384 "$(ec P-384)" -sha384
request p521 "$(ec P-521)" -sha512
request rsa2048 "$(rsa 2048)"
request rsa3072 "$(rsa 3072)" -sha384
request rsa4096 "$(rsa 4096)" -sha512
request rsa8192 "$(rsa 8192)"
request san "$(ec P-256)" -addext 'subjectAltName=DNS:n1.example,DNS:n1,IP:192.0.2.7,email:root@n1.example'
request san-dns "$(ec P-256)" -addext 'subjectAltName=critical,DNS:n1.example' -addext 'keyUsage=digitalSignature'
request authority "$(ec P-256)" -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=keyCertSign'
request no-authority "$(ec P-256)" -addext 'basicConstraints=CA:FALSE'
sed -i 's/^attributes = .*/attributes = challenge/' "$keys/config"
request challenge "$(ec P-256)" -addext 'subjectAltName=DNS:n1.example'
sed -i 's/^attributes = .*/attributes = none/' "$keys/config"
request full-subject "$(ec P-256)" -utf8 -subj '/C=DE/O=Bücher/CN=nöde 1+serialNumber=42' -multivalue-rdn
request two-names "$(ec P-256)" -subj '/CN=first/CN=second'
request no-subject "$(ec P-256)" -subj /
request pss256 "$(rsa 2048)" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
request pss512 "$(rsa 2048)" -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
wide=$(python3 -c 'print(2 ** 255 + 95)')
request wide-exponent "$(rsa 2048) -pkeyopt rsa_keygen_pubexp:$wide"

# Refused, each for one reason.
request refused-rsa1024 "$(rsa 1024)"
request refused-e3 "$(rsa 2048) -pkeyopt rsa_keygen_pubexp:3"
request refused-wide-exponent "$(rsa 4096) -pkeyopt rsa_keygen_pubexp:$wide"
request refused-secp256k1 "$(ec secp256k1)"
request refused-brainpool "$(ec brainpoolP256r1)"
request refused-p224 "$(ec P-224)"
request refused-explicit '-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit'
request refused-ed25519 '-algorithm ED25519'
request refused-pss-key '-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048'
request refused-sha1 "$(rsa 2048)" -sha1
request refused-md5 "$(rsa 2048)" -md5
request refused-ecdsa-sha1 "$(ec P-256)" -sha1
request refused-sha224 "$(ec P-256)" -sha224
request refused-pss-salt "$(rsa 2048)" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20
request refused-pss-sha1 "$(rsa 2048)" -sha1 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
if [ ! -s refused-compressed.csr.pem ]; then
  openssl ecparam -name prime256v1 -genkey -noout | openssl ec -conv_form compressed -out "$keys/compressed" 2>/dev/null
  openssl req -new -key "$keys/compressed" -out refused-compressed.csr.pem -config "$keys/config" -sha256
fi

# Public keys whose weakness is in how their primes were chosen.
weak() {
  [ ! -s "$1.pub.pem" ] || return 0
  python3 - "$1" >"$keys/modulus" <<'PYTHON'
import random, subprocess, sys
def prime(n):
    return pow(2, n - 1, n) == 1 and pow(3, n - 1, n) == 1
def after(n):
    n |= 1
    while not prime(n):
        n += 2
    return n
def rocky(bits):
    # k·M + (65537^a mod M), M the product of the first 126 primes: the lengths from 1984 to 3936 bits.
    m, n, count = 1, 2, 0
    while count < 126:
        if all(n % d for d in range(2, int(n ** 0.5) + 1)):
            m, count = m * n, count + 1
        n += 1
    while True:
        p = random.randrange(3 << (bits - 2), 1 << bits) // m * m + pow(65537, random.randrange(1 << 256), m)
        if p.bit_length() == bits and prime(p):
            return p
if sys.argv[1] == "roca":
    print(rocky(1024) * rocky(1024))
else:
    # 2^516 apart, some 40 rounds of Fermat's method; the generators of CVE-2022-26320 left less.
    p = after(random.getrandbits(1024) | 3 << 1022)
    print(p * after(p + (1 << 516) + random.getrandbits(500)))
PYTHON
  cat >"$keys/asn1" <<ASN1
asn1 = SEQUENCE:key
[key]
algorithm = SEQUENCE:algorithm
bits = BITWRAP,SEQUENCE:numbers
[algorithm]
oid = OID:rsaEncryption
parameters = NULL
[numbers]
n = INTEGER:$(cat "$keys/modulus")
e = INTEGER:65537
ASN1
  openssl asn1parse -genconf "$keys/asn1" -noout -out "$keys/der"
  openssl pkey -pubin -inform DER -in "$keys/der" -pubout -out "$1.pub.pem"
}
weak roca
weak close-primes
