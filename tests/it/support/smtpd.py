"""A mail server for tests: aiosmtpd, with what happens to a message decided by whom it is for.

Its one argument is a JSON object:

    security      "none", "starttls" (which is then required) or "tls"
    certificate   the path of the certificate chain, for the latter two
    key           the path of its key
    username      what a log-in must say; without it there is no log-in
    password
    smtputf8      whether addresses may have letters beyond ASCII

It writes one JSON object a line: first {"port": …}, then each message that it took, as Python's own parser reads it. It
ends with its standard input.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

settings = json.loads(sys.argv[1])

# Tests provoke what it would complain of.
logging.getLogger("mail.log").disabled = True
warnings.filterwarnings("ignore", module="aiosmtpd")

# What a server says beside the code can hold anything; tests look for this word where it must not be.
REFUSED = {
    "gone@example.com": "550 5.1.1 hunter2 no such user",
    "full@example.com": "452 4.2.2 hunter2 mailbox full",
    "busy@example.com": "421 4.3.2 hunter2 shutting down",
}
REFUSED_CONTENT = {
    "spam@example.com": "554 5.7.1 hunter2 spam",
    "grey@example.com": "451 4.7.1 hunter2 come back later",
}


def say(**what):
    print(json.dumps(what), flush=True)


def text(part):
    return part.get_content().replace("\r\n", "\n")


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address not in REFUSED:
            envelope.rcpt_tos.append(address)
        return REFUSED.get(address, "250 OK")

    async def handle_DATA(self, server, session, envelope):
        [to] = envelope.rcpt_tos
        if to == "hang@example.com":
            await asyncio.Event().wait()
        if to in REFUSED_CONTENT:
            return REFUSED_CONTENT[to]
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        say(
            sender=envelope.mail_from,
            recipient=to,
            tls=server.transport.get_extra_info("ssl_object") is not None,
            user=session.auth_data,
            hello=session.host_name,
            headers={name: str(value) for name, value in message.items()},
            type=message.get_content_type(),
            parts=[{"type": part.get_content_type(), "content": text(part)} for part in parts],
            defects=[repr(defect) for part in message.walk() for defect in part.defects],
        )
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = (settings["username"].encode(), settings["password"].encode())
    if (data.login, data.password) == good:
        return AuthResult(success=True, auth_data=settings["username"])
    return AuthResult(success=False, handled=False, message="535 5.7.8 hunter2 bad credentials")


async def main():
    security = settings["security"]
    context = None
    if security != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["certificate"], settings["key"])
    log_in = {}
    if "username" in settings:
        # aiosmtpd cannot tell that a connection is TLS from the start.
        log_in = {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": security == "starttls",
        }

    def protocol():
        return SMTP(
            Handler(),
            hostname="mail.example.com",
            enable_SMTPUTF8=settings.get("smtputf8", False),
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            loop=loop,
            **log_in,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if security == "tls" else None)
    say(port=server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
