#!/bin/sh
exec litellm "$@"
