"""Types of the values under `metrics`, and a closed schema of the operator's objects that the chart makes.

Belongs here: what Prometheus and its operator take. Never here: descriptions (the `# --` comments of values.yaml).

Source: https://prometheus-operator.dev/docs/api-reference/api/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.chart import forms

Schema = dict[str, Any]

ALERTS = Path(__file__).parents[2] / "chart/files/alerts.yaml"
GROUP = "monitoring.coreos.com"

#: A span of time as Prometheus reads it (30s, 1h30m); the second may be empty.
_FOR = forms.text("^[0-9]+(s|m|h|d|w)([0-9]+(s|m|h))*$")
_MAYBE = forms.text("^([0-9]+(s|m|h|d)([0-9]+(s|m|h))*)?$")
_WORD = forms.text("^[a-zA-Z_][a-zA-Z0-9_]*$")
_LABELS = forms.mapped(_WORD, {"type": "string"})
_TEXT: Schema = {"type": "string"}
_ACTIONS = ("replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase")


def _closed(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    known = {key.rstrip("_"): value for key, value in properties.items()}
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": known, "additionalProperties": False, **needed}


_RELABELING = _closed(
    sourceLabels=forms.several(_WORD),
    separator=_TEXT,
    targetLabel=_WORD,
    regex=_TEXT,
    modulus={"type": "integer", "minimum": 1},
    replacement=_TEXT,
    action=forms.words(*_ACTIONS),
)
_RULE = {
    **_closed(
        ("expr",),
        alert=forms.SOMETHING,
        record=forms.text("^[a-zA-Z_:][a-zA-Z0-9_:]*$"),
        expr=forms.SOMETHING,
        for_=_FOR,
        keep_firing_for=_FOR,
        labels=_LABELS,
        annotations=_LABELS,
    ),
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
}


_ON = {"description": "Whether there is this alert.", "type": "boolean"}
_LONG = {"description": "For how long it must be so, e.g. 5m.", **_FOR}
_BAD = {"description": "The alert's label severity.", **forms.VALUE}
_BEYOND = {"description": "Beyond which number.", "type": "number", "minimum": 0}


def _alerts() -> Schema:
    """Each alert of the chart; a threshold where its expression has one."""
    found = {}
    for name, alert in yaml.safe_load(ALERTS.read_text()).items():
        level = {"threshold": _BEYOND} if "THRESHOLD" in alert["expr"] else {}
        found[name] = {
            "description": alert["summary"].replace("{{ $labels.", "").replace(" }}", ""),
            **_closed(enabled=_ON, for_=_LONG, severity=_BAD, **level),
        }
    return _closed(**found)


TYPES: dict[str, Schema] = {
    **{
        f"{monitor}.{key}": kind
        for monitor in ("serviceMonitor", "podMonitor")
        for key, kind in (
            ("interval", _MAYBE),
            ("scrapeTimeout", _MAYBE),
            ("relabelings", forms.several(_RELABELING)),
            ("metricRelabelings", forms.several(_RELABELING)),
            ("jobLabel", {**forms.KEY, "pattern": f"^$|{forms.KEY['pattern']}"}),
            ("targetLabels", forms.several(forms.KEY)),
            ("podTargetLabels", forms.several(forms.KEY)),
            ("sampleLimit", {"type": ["integer", "null"], "minimum": 1}),
        )
    },
    **{
        f"{kind}.namespace": {**forms.LABEL, "pattern": f"^$|{forms.LABEL['pattern']}"}
        for kind in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboards")
    },
    "prometheusRule.interval": _MAYBE,
    "prometheusRule.alertLabels": _LABELS,
    "prometheusRule.rules": forms.several(_RULE),
    "prometheusRule.alerts": _alerts(),
}

_METADATA = _closed(
    ("name", "labels"),
    name=forms.SUBDOMAIN,
    namespace=forms.LABEL,
    labels=forms.mapped(forms.KEY, forms.VALUE),
    annotations=forms.mapped(forms.KEY, _TEXT),
    ownerReferences={"type": "array"},
)
_ENDPOINT = _closed(
    ("port", "path"),
    port=forms.PORT_NAME,
    path=forms.text("^/"),
    interval=_FOR,
    scrapeTimeout=_FOR,
    honorLabels={"type": "boolean"},
    relabelings=forms.several(_RELABELING, 1),
    metricRelabelings=forms.several(_RELABELING, 1),
)
_SELECTING = {
    "selector": _closed(("matchLabels",), matchLabels=forms.mapped(forms.KEY, forms.VALUE)),
    "namespaceSelector": _closed(("matchNames",), matchNames=forms.several(forms.LABEL, 1)),
    "jobLabel": forms.KEY,
    "podTargetLabels": forms.several(forms.KEY, 1),
    "sampleLimit": {"type": "integer", "minimum": 1},
}
_GROUP = _closed(("name", "rules"), name=forms.SOMETHING, interval=_FOR, rules=forms.several(_RULE, 1))
_SPECS = {
    "ServiceMonitor": _closed(
        ("selector", "endpoints"),
        **_SELECTING,
        targetLabels=forms.several(forms.KEY, 1),
        endpoints=forms.several(_ENDPOINT, 1),
    ),
    "PodMonitor": _closed(
        ("selector", "podMetricsEndpoints"), **_SELECTING, podMetricsEndpoints=forms.several(_ENDPOINT, 1)
    ),
    "PrometheusRule": _closed(("groups",), groups=forms.several(_GROUP, 1)),
}
#: What the operator's definitions say of the objects that the chart makes, by kind.
OBJECTS: dict[str, Schema] = {
    kind: _closed(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": f"{GROUP}/v1"},
        kind={"const": kind},
        metadata=_METADATA,
        spec=spec,
    )
    for kind, spec in _SPECS.items()
}
