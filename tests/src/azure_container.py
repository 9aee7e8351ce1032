import base64, hashlib, hmac, urllib.request
from email.utils import formatdate


def make(endpoint, account, key, container):
    """Makes a container, with the signature of a shared key."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    canonical = f"x-ms-date:{date}\nx-ms-version:{version}\n/{account}/{account}/{container}\nrestype:container"
    text = "PUT" + "\n" * 12 + canonical
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    request = urllib.request.Request(
        f"{endpoint}/{account}/{container}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey {account}:{base64.b64encode(digest).decode()}",
        },
    )
    urllib.request.urlopen(request)
