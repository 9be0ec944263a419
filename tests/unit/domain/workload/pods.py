"""Pods, containers and events for tests, as the API gives them."""


def container(*, waiting=None, terminated=None, last=None, restarts=0, ready=False, image="i@d"):
    state = {"waiting": waiting} if waiting else {"terminated": terminated} if terminated else {}
    return {
        "name": "app",
        "image": image,
        "ready": ready,
        "restartCount": restarts,
        "state": state or {"running": {}},
        "lastState": {"terminated": last} if last else {},
    }


def pod(*containers, name="p", **status):
    found = {"containerStatuses": list(containers)} if containers else {}
    return {"metadata": {"name": name}, "status": found | status}


def event(reason, message, *, at="2026-01-01T00:00:00Z", name="p"):
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"name": name},
    }


def ended(code, *, reason="Error", message=""):
    return {"exitCode": code, "reason": reason, "message": message}
