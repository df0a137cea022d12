#!/bin/sh
kustomize build overlay
