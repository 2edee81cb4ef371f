"""A small corpus for pii.sh, the same at each run: lines {text, spans: [{bstart, bend, label}]}, half of them without personal data."""

import json
import random

R = random.Random(7)


def digits(n):
    return "".join(R.choice("0123456789") for _ in range(n))


def card():
    """A Visa number with its Luhn digit."""
    body = "4" + digits(14)
    odd = sum(sum(divmod(2 * int(d), 10)) for d in body[::2])
    return body + str(-(odd + sum(map(int, body[1::2]))) % 10)


def iban():
    """A German IBAN with its check digits (ISO 7064, MOD 97-10)."""
    account = digits(18)
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


VALUES = {
    "EMAIL_ADDRESS": lambda: f"{R.choice(['ana', 'jo', 'li', 'sam'])}.{R.choice(['silva', 'ng', 'berg'])}{digits(2)}@example.org",
    "PHONE_NUMBER": lambda: f"+44 20 7946 0{digits(3)}",
    "CREDIT_CARD": card,
    "IBAN_CODE": iban,
    "US_SSN": lambda: f"{R.randint(100, 660)}-{R.randint(10, 99)}-{R.randint(1000, 9999)}",
    "IP_ADDRESS": lambda: f"203.0.113.{R.randint(1, 254)}",
    "MAC_ADDRESS": lambda: ":".join(f"{R.randint(0, 255):02x}" for _ in range(6)),
}
FRAMES = {
    "EMAIL_ADDRESS": "hey can you write to {} when it ships? the order is still on hold here",
    "PHONE_NUMBER": "please call me back on {} after lunch, the line was bad this morning",
    "CREDIT_CARD": "the card is {} and it was charged twice for the same subscription",
    "IBAN_CODE": "refund goes to the account {}, thanks for looking into this so quickly",
    "US_SSN": "my ssn is {} and the form will not take it, what am I doing wrong?",
    "IP_ADDRESS": "level=warn msg=\"rate limited\" remote={} took=0.123s status=429",
    "MAC_ADDRESS": "dhcp: lease renewed for {} on vlan 12, expires in 3600 seconds",
}
CLEAN = [
    "2026-03-04T05:06:07.{n}Z INFO order=1234{n} sku=ABC-1{n}-XY amount=$12.99 trace=4bf92f3577b34da6a3ce929d0e0e4{n}",
    "the meeting notes are in the shared folder, please add yours before Friday; there are {n} open points",
    "bumped to v3.14.{n}, was 3.14.1.7 before; build 7285efc passed at 10:11:12",
    "level=info msg=\"done\" req=550e8400-e29b-41d4-a716-446655440{n} took=0.{n}s rows=48",
]

for number in range(4000):
    spans = []
    if number % 2:
        text = R.choice(CLEAN).replace("{n}", digits(3))
    else:
        label = R.choice(list(VALUES))
        value = VALUES[label]()
        start = FRAMES[label].index("{")
        text = FRAMES[label].replace("{}", value)
        spans.append({"bstart": start, "bend": start + len(value), "label": label})
    print(json.dumps({"text": text, "spans": spans}))
