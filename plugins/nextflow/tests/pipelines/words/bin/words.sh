#!/bin/sh
# Prints the words of a file, one a line.
tr -cs '[:alnum:]' '\n' < "$1" | tr '[:upper:]' '[:lower:]' | sed '/^$/d'
