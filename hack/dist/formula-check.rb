# Does what `brew install` and `brew test` would do with a formula, as far as it goes without Homebrew:
#   ruby hack/dist/formula-check.rb FORMULA FOLDER-OF-ARCHIVES
# Takes the archive of this machine's platform from the folder instead of the network, holds its checksum, runs `install` into
# an empty prefix and then the block `test`. Methods that Homebrew has and this lacks end it.
require "digest"
require "open3"
require "pathname"
require "tmpdir"

class Pathname
  # Homebrew's: copies each file into this folder; a hash gives another name.
  def install(*files)
    mkpath
    files.flatten.each do |file|
      (file.is_a?(Hash) ? file : { file => File.basename(file.to_s) }).each { |from, to| FileUtils.cp_r(from.to_s, (self/to).to_s, preserve: true) }
    end
  end
end

class Formula
  CHIP = RUBY_PLATFORM.start_with?("x86_64") ? :intel : :arm
  SYSTEM = RUBY_PLATFORM.include?("darwin") ? :macos : :linux
  class << self
    attr_reader :fields, :tests

    def inherited(formula)
      super
      formula.instance_variable_set(:@fields, {})
    end

    %i[desc homepage version license url sha256].each { |name| define_method(name) { |text| fields[name] = text } }
    %i[macos linux].each { |name| define_method("on_#{name}") { |&block| block.call if name == SYSTEM } }
    %i[arm intel].each { |name| define_method("on_#{name}") { |&block| block.call if name == CHIP } }

    def test(&block) = @tests = block
  end

  attr_reader :prefix

  def initialize(prefix) = @prefix = Pathname(prefix)
  def version = self.class.fields[:version]
  def bin = prefix/"bin"
  def man1 = prefix/"share/man/man1"
  def bash_completion = prefix/"etc/bash_completion.d"
  def zsh_completion = prefix/"share/zsh/site-functions"
  def fish_completion = prefix/"share/fish/vendor_completions.d"
  def pkgshare = prefix/"share/kubectl-skills"

  def shell_output(command)
    out, status = Open3.capture2(command)
    status.success? ? out : abort("formula: #{command} ended with #{status.exitstatus}")
  end

  def assert_match(text, out)
    out.include?(text) || abort("formula: no #{text} in: #{out}")
  end
end

require "fileutils"
formula, folder = ARGV
load formula
fields = KubectlSkills.fields
archive = File.expand_path(File.join(folder, File.basename(fields.fetch(:url))))
Digest::SHA256.file(archive).hexdigest == fields.fetch(:sha256) or abort("formula: another checksum than that of #{archive}")
Dir.mktmpdir do |work|
  Dir.mkdir("#{work}/archive")
  Dir.chdir("#{work}/archive") do
    system("tar", "-xzf", archive) or abort("formula: #{archive} cannot be unpacked")
    made = KubectlSkills.new("#{work}/prefix")
    made.install
    made.instance_exec(&KubectlSkills.tests)
    puts "ok  formula #{fields[:version]}: #{Dir["#{work}/prefix/**/*"].count { |file| File.file?(file) }} files installed, its test passes"
  end
end
