#!/usr/bin/env python3
"""Prints the Homebrew formula of a release, with addresses and checksums of its archives. Standard library only.

    formula.py --url BASE --version vX.Y.Z ARCHIVE...

Platforms that have no archive are left out; those of windows are none of Homebrew's.
"""

import hashlib

import release

HEAD = """\
# Made with each release by hack/dist/formula.py.
class KubectlSkills < Formula
  desc "Mounts the skill images of AI agents into their Kubernetes workloads"
  homepage "https://github.com/kagenti/kubectl-skills"
  version "{version}"
  license "Apache-2.0"
"""

TAIL = """
  def install
    bin.install "kubectl-skills"
    # kubectl runs it to complete what its plugin takes.
    bin.install "completions/kubectl_complete-skills"
    man1.install Dir["man/man1/*.1"]
    bash_completion.install "completions/kubectl-skills.bash" => "kubectl-skills"
    zsh_completion.install "completions/_kubectl-skills"
    fish_completion.install "completions/kubectl-skills.fish"
    pkgshare.install "docs/examples"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/kubectl-skills version")
    sample = pkgshare/"examples/quickstart/weather.yaml"
    assert_match "ghcr.io/acme/skills/forecast:1.4.0", shell_output("#{bin}/kubectl-skills render -q -f #{sample}")
  end
end
"""
SYSTEMS = (("macos", "darwin"), ("linux", "linux"))
CHIPS = (("arm", "arm64"), ("intel", "amd64"))


def main():
    args = release.arguments()

    known = {archive.name: archive for archive in args.archives}
    out = [HEAD.format(version=args.version.removeprefix("v"))]
    for block, system in SYSTEMS:
        chips = []
        for chip, arch in CHIPS:
            archive = known.get(f"kubectl-skills_{args.version}_{system}_{arch}.tar.gz")
            if archive:
                digest = hashlib.sha256(archive.read_bytes()).hexdigest()
                chips.append(
                    f"    on_{chip} do\n      url \"{args.url}/{archive.name}\"\n      sha256 \"{digest}\"\n    end\n"
                )
        if chips:
            out.append(f"\n  on_{block} do\n{''.join(chips)}  end\n")
    out.append(TAIL)
    print("".join(out), end="")


if __name__ == "__main__":
    main()
