"""What Ansible makes of many inventories.

Reads one JSON object per line: {"dir": …, "args": […]} is `ansible-inventory ARGS` in that directory. Answers each
with a line: {"out": …, "err": …, "code": …}.

Loading Ansible takes most of the time of a run of the command, so it is done once here; every case then runs in
a fork of its own, as ansible.cli.inventory.InventoryCLI, which is all the command is.
"""
import json
import os
import sys
import tempfile

os.environ.update(ANSIBLE_NOCOLOR="1", ANSIBLE_CONFIG="/nowhere/ansible.cfg", COLUMNS="1000", LC_ALL="C.UTF-8")

from ansible import constants as C
from ansible.cli.inventory import InventoryCLI
from ansible.errors import AnsibleError
from ansible.plugins.loader import init_plugin_loader, inventory_loader
from ansible.vars import clean, plugins

for name in C.INVENTORY_ENABLED:
    inventory_loader.get(name)
plugins._prime_vars_loader()
init_plugin_loader()
clean.clean_facts({})


def run(case):
    os.chdir(case["dir"])
    try:
        cli = InventoryCLI(["ansible-inventory", *case["args"]])
        cli.parse()
        return cli.run()
    except SystemExit as ended:
        return ended.code
    except AnsibleError as error:
        print("ERROR:", error, file=sys.stderr)
    except Exception as error:  # What the command calls a bug.
        print("BUG:", repr(error), file=sys.stderr)
    return 1


def in_a_fork(case):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = run(case)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code or 0)
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
        return {"out": texts[0], "err": texts[1], "code": os.waitstatus_to_exitcode(status)}


for line in sys.stdin:
    print(json.dumps(in_a_fork(json.loads(line))), flush=True)
