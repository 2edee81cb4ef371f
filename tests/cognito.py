"""The part of tests/cognito.sh that speaks HTTP: a login at the stand-in, then requests to our server with its tokens."""

import json
import os
import sys
import urllib.error
import urllib.request


def send(url, headers, body=None, method=None):
    """One request; its status and its JSON."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers, method=method), timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def cognito(operation, body):
    """One of Cognito's operations, as its SDKs call them. The stand-in checks no signature."""
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "AWSCognitoIdentityProviderService." + operation,
        "authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/cognito-idp/aws4_request, "
        "SignedHeaders=host, Signature=x",
    }
    status, answer = send(os.environ["COGNITO_STANDIN_URL"].rstrip("/") + "/", headers, body)
    assert status == 200, (operation, status, answer)
    return answer


def login():
    pool = cognito("CreateUserPool", {"PoolName": "engines"})["UserPool"]["Id"]
    client = cognito("CreateUserPoolClient", {"UserPoolId": pool, "ClientName": "engines"})
    client = client["UserPoolClient"]["ClientId"]
    name, password = "grace@example.org", "A-password-for-1-test"
    user = {"UserPoolId": pool, "Username": name}
    cognito("AdminCreateUser", {**user, "TemporaryPassword": "A-first-one-for-1-test"})
    cognito("AdminSetUserPassword", {**user, "Password": password, "Permanent": True})
    parameters = {"USERNAME": name, "PASSWORD": password}
    flow = {"UserPoolId": pool, "ClientId": client, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH"}
    tokens = cognito("AdminInitiateAuth", {**flow, "AuthParameters": parameters})["AuthenticationResult"]
    print(pool, client, tokens["AccessToken"], tokens["IdToken"])


def ask(access, identity, operator):
    server = "http://127.0.0.1:" + os.environ["SERVER_PORT"]

    def threads(token, body=None, tenant=None):
        headers = {"authorization": "Bearer " + token, "x-env": "dev", "content-type": "application/json"}
        if tenant:
            headers["x-tenant-id"] = tenant
        return send(server + "/chat/threads", headers, body)

    status, made = threads(access, {"title": "hello"})
    assert status == 201, (status, made)
    status, listed = threads(access)
    assert status == 200 and len(listed["items"]) == 1, (status, listed)
    for token, tenant, expected, code in [
        (identity, None, 401, "TOKEN_INVALID"),
        (access[:-8], None, 401, "TOKEN_INVALID"),
        (access, "t_acme", 403, "TENANT_FORBIDDEN"),
    ]:
        status, problem = threads(token, tenant=tenant)
        assert (status, problem.get("code")) == (expected, code), (status, problem)
    print("a user of the stand-in started a thread in a tenant of their own; three others were refused")

    def asked(method, path, token, body=None):
        headers = {"authorization": "Bearer " + token, "x-env": "dev", "content-type": "application/json"}
        return send(server + path, headers, body, method)

    # They are a user like any other: seen, invited by, with keys of their tenant, and disabled at once.
    status, me = asked("GET", "/auth/me", access)
    assert status == 200, (status, me)
    user, own = me["user"]["user_id"], me["memberships"]
    assert [member["role"] for member in own] == ["owner"] and me["tenant"]["tenant_id"] == own[0]["tenant_id"], me
    status, key = asked("POST", "/identity/api-keys", access, {"name": "an agent", "role": "viewer"})
    assert status == 201, (status, key)
    status, listed = threads(key["key"])
    assert status == 200 and len(listed["items"]) == 1, (status, listed)
    status, second = asked("POST", "/tenants", access, {"name": "Second"})
    assert status == 201, (status, second)
    status, problem = asked("POST", f"/users/{user}/disable", access)
    assert status == 403, (status, problem)
    status, nothing = asked("POST", f"/users/{user}/disable", operator)
    assert status == 204, (status, nothing)
    status, problem = asked("GET", "/auth/me", access)
    assert (status, problem.get("code")) == (401, "TOKEN_INVALID"), (status, problem)
    print("and is a user like any other: with a key, a second tenant, and disabled by the control plane")


{"login": login, "ask": ask}[sys.argv[1]](*sys.argv[2:])
