"""Written by homelab; a deploy writes it again.

Leads requests around a server that is about to be replaced: while a file in DIRECTORY names it by its base URL, others
of the same name get them. What it answers already it answers to its end.
"""

import os

from litellm.integrations.custom_logger import CustomLogger

DIRECTORY = "/etc/litellm/around"


def led_around():
    urls = set()
    try:
        for name in os.listdir(DIRECTORY):
            if name.endswith(".url"):
                with open(os.path.join(DIRECTORY, name), encoding="utf-8") as file:
                    urls.add(file.read().strip())
    except OSError:
        # It has just gone: the replacement answers.
        pass
    return urls


class LeadAround(CustomLogger):
    async def async_filter_deployments(self, model, healthy_deployments, messages, *args, **kwargs):
        urls = led_around()
        if not urls:
            return healthy_deployments
        others = [one for one in healthy_deployments if one.get("litellm_params", {}).get("api_base") not in urls]
        # Where there is no other one, an answer that may be cut off is better than none.
        return others or healthy_deployments


lead_around = LeadAround()
