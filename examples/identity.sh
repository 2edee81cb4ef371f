#!/usr/bin/env bash
# From nobody to a followed thread, with curl: sign up, log in, invite, make an API key, and open a stream with a ticket.
#
#   cargo run -p engines-server -- dev &
#   examples/identity.sh http://127.0.0.1:8080
set -euo pipefail
url=${1:-http://127.0.0.1:8080}
name=${2:-$RANDOM$RANDOM}

post() { curl -sS --fail-with-body -H 'Content-Type: application/json' -d "$2" "${@:3}" "$url$1"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)'"$1"')'; }

echo "== sign up, with a tenant of one's own"
ada=$(post /auth/signup "{\"email\":\"ada$name@example.org\",\"password\":\"plum-Lantern-77 quiet\",\"tenant_name\":\"Acme\"}")
tenant=$(field '["tenant"]["tenant_id"]' <<<"$ada")
echo "tenant $tenant"

echo "== a name for others to see, and another password: all other sessions end"
token=$(field '["access_token"]' <<<"$ada")
curl -sS --fail-with-body -X PATCH -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{"display_name":"Ada"}' "$url/auth/me" | field '["user"]["display_name"]'
post /auth/password '{"current_password":"plum-Lantern-77 quiet","new_password":"quiet 88 Lantern"}' -H "Authorization: Bearer $token"

echo "== log in again; the refresh token is good once"
ada=$(post /auth/login "{\"email\":\"ada$name@example.org\",\"password\":\"quiet 88 Lantern\"}")
ada=$(post /auth/refresh "{\"refresh_token\":\"$(field '["refresh_token"]' <<<"$ada")\"}")
as_ada=(-H "Authorization: Bearer $(field '["access_token"]' <<<"$ada")" -H "X-Tenant-Id: $tenant" -H "X-Env: dev")

echo "== invite somebody, who has no account yet"
invite=$(post "/tenants/$tenant/invites" '{"role":"viewer"}' "${as_ada[@]}" | field '["token"]')
bob=$(post /auth/invites/accept "{\"token\":\"$invite\",\"email\":\"bob$name@example.org\",\"password\":\"quiet 77-Lantern plum\"}")
as_bob=(-H "Authorization: Bearer $(field '["access_token"]' <<<"$bob")" -H "X-Tenant-Id: $tenant" -H "X-Env: dev")
curl -sS --fail-with-body "${as_ada[@]}" "$url/tenants/$tenant/members" | field '["items"]' | tr '}' '\n'

echo "== an API key for an agent; what it says is said by it"
key=$(post /identity/api-keys '{"name":"an agent","role":"member","expires_in":3600}' "${as_ada[@]}" | field '["key"]')
thread=$(post /chat/threads '{"title":"hello"}' -H "Authorization: Bearer $key" -H "X-Env: dev" | field '["thread_id"]')
post "/chat/threads/$thread/messages" '{"text":"Hello from an agent"}' -H "Authorization: Bearer $key" -H "X-Env: dev" >/dev/null

echo "== a ticket opens one stream once, as a browser's EventSource needs it"
ticket=$(post /auth/tickets "{\"path\":\"/sse/chat/$thread\"}" "${as_bob[@]}" | field '["ticket"]')
{ curl -sN --max-time 2 "$url/sse/chat/$thread?from=start&ticket=$ticket" || true; } | grep -m1 '^data:'
curl -sS "$url/sse/chat/$thread?ticket=$ticket" | field '["code"]'

echo "== leave, delete the account, log out everywhere"
post "/tenants/$tenant/leave" '' "${as_bob[@]}"
curl -sS --fail-with-body -X DELETE "${as_bob[@]}" -H 'Content-Type: application/json' -d '{"password":"quiet 77-Lantern plum"}' "$url/auth/me"
curl -sS --fail-with-body -X DELETE "${as_ada[@]}" "$url/auth/sessions"
