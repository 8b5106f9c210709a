#!/usr/bin/env bash
# What the tests of reports and of the server's page in a browser need: Chromium, ChromeDriver, and playwright-core and axe-core in build/browser. Takes
# apt and npm; without either the tests say that they did not run.
set -euo pipefail
cd "$(dirname "$0")/.."

PLAYWRIGHT=1.65.1
AXE=4.10.2

if ! command -v chromium > /dev/null && ! command -v google-chrome > /dev/null; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends chromium
fi
if ! command -v chromedriver > /dev/null; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get install -y -qq --no-install-recommends chromium-driver || echo "no ChromeDriver: the test of the server's page does not run" >&2
fi
mkdir -p build/browser
cd build/browser
[ -e package.json ] || echo '{ "private": true }' > package.json
npm install --silent --no-audit --no-fund "playwright-core@$PLAYWRIGHT" "axe-core@$AXE"
echo "browser tests: $(chromium --version 2> /dev/null || google-chrome --version), playwright-core $PLAYWRIGHT, axe-core $AXE"
