using System.Text.RegularExpressions;
using Provisioner.Installing;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Installing;

/// <summary>The answers as the programs that read them judge them.</summary>
public sealed class AnswerScriptsTests
{
    public static TheoryData<string> Matrix { get; } = [.. AnswerFixture.Matrix];

    public static TheoryData<string> Clouds { get; } = [.. AnswerFixture.Matrix.Where(name => !name.StartsWith("rhel", StringComparison.Ordinal))];

    public static TheoryData<string> Kickstarts { get; } = [.. AnswerFixture.Matrix.Where(name => name.StartsWith("rhel", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Matrix))]
    public void Every_script_is_clean(string name)
    {
        Tool.SkipWithout("/usr/bin/shellcheck", "/bin/dash", "/bin/bash", "/usr/bin/busybox");
        using var directory = new TemporaryDirectory();
        var scripts = Scripts(AnswerFixture.Context(name), AnswerFixture.Files()).ToList();
        Assert.NotEmpty(scripts);
        for (var i = 0; i < scripts.Count; i++)
            File.WriteAllText(directory[$"script-{i}"], scripts[i]);
        var paths = scripts.Select((_, i) => directory[$"script-{i}"]).ToArray();

        foreach (var path in paths)
        {
            Tool.Run("/bin/dash", "-n", path);
            Tool.Run("/bin/bash", "-n", path);
            Tool.Run("/usr/bin/busybox", "sh", "-n", path);
        }
        // SC2034: what two formats share, one of them may not use. SC1078: an apostrophe inside the text of a file.
        Tool.Run("/usr/bin/shellcheck", ["--shell=sh", "--severity=warning", "--exclude=SC2034,SC1078", .. paths]);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    public void Cloud_init_takes_the_user_data(string name)
    {
        Tool.SkipWithout("/usr/bin/cloud-init");
        using var directory = new TemporaryDirectory();
        var text = AnswerFixture.Files(JoinFiles.BuiltIn()).Render(AnswerFixture.Context(name), "user-data");
        File.WriteAllText(directory["user-data"], text);
        Tool.Run("/usr/bin/cloud-init", "schema", "--config-file", directory["user-data"]);

        // What the installer hands on to the installed system is cloud-init's as well.
        if (YamlTree.Read(text, out _)!["autoinstall"]?["user-data"] is { } installed)
        {
            File.WriteAllText(directory["installed"], "#cloud-config\n" + YamlWriter.Write(installed.DeepClone()));
            Tool.Run("/usr/bin/cloud-init", "schema", "--config-file", directory["installed"]);
        }
    }

    [Theory]
    [MemberData(nameof(Kickstarts))]
    public void Kickstart_speaks_the_language_of_its_version(string name)
    {
        var major = int.Parse(name.Split('-', '/')[1], System.Globalization.CultureInfo.InvariantCulture);
        var text = AnswerFixture.Files().Render(AnswerFixture.Context(name), "ks.cfg");

        Assert.Empty(KickstartGrammar.Mistakes(text, major));
    }

    [Theory]
    [InlineData("auth --enableshadow", 10)]
    [InlineData("autostep", 10)]
    [InlineData("install", 9)]
    [InlineData("logging --host=a --level=info", 9)]
    [InlineData("timezone UTC --isUtc", 10)]
    [InlineData("timezone UTC --utc --ntpservers=a", 10)]
    [InlineData("timesource --ntp-server=a", 8)]
    [InlineData("network --teamslaves=a", 10)]
    [InlineData("pwpolicy root", 9)]
    [InlineData("part swap --size=1", 9)]
    [InlineData("%packages --instLangs=en\n%end", 10)]
    [InlineData("%anaconda\n%end", 9)]
    [InlineData("%post\necho", 9)]
    [InlineData("lang 'en", 9)]
    public void The_grammar_finds_what_a_version_does_not_take(string text, int major) => Assert.NotEmpty(KickstartGrammar.Mistakes(text + "\n", major));

    // Everything the first script writes for the partitioner, for each layout and firmware, run with a double of lsblk.
    [Theory]
    [InlineData("rhel-9/plain/x86_64", "sdb")]
    [InlineData("rhel-9/lvm-tpm2/x86_64", "sdc")]
    [InlineData("rhel-8/mirror/x86_64", "sda,sdc")]
    public void The_disks_are_chosen_and_never_get_swap(string name, string chosen)
    {
        Tool.SkipWithout("/bin/dash", "/bin/bash", "/usr/bin/busybox");
        foreach (var shell in (string[])["/bin/dash", "/bin/bash", "/usr/bin/busybox"])
        {
            using var directory = new TemporaryDirectory();
            var pre = Section(AnswerFixture.Files().Render(AnswerFixture.Context(name), "ks.cfg"), "%pre")
                .Replace("/tmp/provisioner-disks.ks", directory["disks.ks"], StringComparison.Ordinal)
                .Replace("/run/provisioner", directory["run"], StringComparison.Ordinal)
                .Replace("/dev/tpmrm0", "/dev/null", StringComparison.Ordinal);
            var (code, said) = Shell(shell, directory, pre);

            Assert.True(code == 0, said);
            var written = File.ReadAllText(directory["disks.ks"]);
            Assert.Contains($"ignoredisk --only-use={chosen}\n", written);
            Assert.Contains($"--drives={chosen}\n", written);
            Assert.DoesNotContain("swap", written);
            Assert.Empty(KickstartGrammar.Mistakes(written, 9));
            Assert.Equal(name.Contains("mirror", StringComparison.Ordinal), written.Contains("raid / ", StringComparison.Ordinal));
            Assert.Equal(name.Contains("tpm2", StringComparison.Ordinal), Regex.IsMatch(written, "--encrypted --luks-version=luks2 --passphrase=[0-9a-f]{64}\n", RegexOptions.NonBacktracking));
        }
    }

    [Fact]
    public void Without_a_fitting_disk_the_installation_ends_and_says_what_is_there()
    {
        Tool.SkipWithout("/bin/dash");
        using var directory = new TemporaryDirectory();
        var context = AnswerFixture.Context(AnswerFixture.Image("rhel-9", Provisioner.Boot.CpuArchitecture.X64),
            new InstallOptions { Disk = new DiskOptions { Match = new DiskMatch { MinimumGiB = 900_000 } } });
        var pre = Section(AnswerFixture.Files().Render(context, "ks.cfg"), "%pre").Replace("/run/provisioner", directory["run"], StringComparison.Ordinal);

        var (code, said) = Shell("/bin/dash", directory, pre);

        Assert.NotEqual(0, code);
        Assert.Contains("smallest fixed disk of at least 900000 GiB", said);
        Assert.Contains("sdb", said);
        Assert.False(File.Exists("/tmp/provisioner-disks.ks"));
    }

    [Fact]
    public void The_installed_system_gets_its_files_whole_and_with_their_modes()
    {
        Tool.SkipWithout("/bin/dash");
        using var directory = new TemporaryDirectory();
        var context = AnswerFixture.Context("rhel-9/full/x86_64");
        var post = Section(AnswerFixture.Files(JoinFiles.BuiltIn()).Render(context, "ks.cfg"), "%post");
        var put = post[post.IndexOf("# Path, mode, text.", StringComparison.Ordinal)..post.IndexOf("printf 'proxy=", StringComparison.Ordinal)]
            .Replace("rm -f /etc", $"rm -f {directory["etc"]}", StringComparison.Ordinal)
            .Replace("\nput '/", $"\nput '{directory.Path}/", StringComparison.Ordinal);

        var (code, said) = Shell("/bin/dash", directory, "set -eu\n" + put);

        Assert.True(code == 0, said);
        foreach (var file in JoinFiles.BuiltIn().For(context))
        {
            Assert.Equal(file.Text, File.ReadAllText(directory[file.Path[1..]]));
            Assert.Equal(Convert.ToInt32(file.Mode, 8), (int)File.GetUnixFileMode(directory[file.Path[1..]]));
        }
        Assert.Equal(AnswerFixture.Token + "\n", File.ReadAllText(directory["etc/provisioner/token"]));
    }

    private static (int Code, string Said) Shell(string shell, TemporaryDirectory directory, string script)
    {
        Directory.CreateDirectory(directory["bin"]);
        // sda: large and fixed. sdb: the smallest. sdc: the largest. sdd: can be taken out. sde: read-only. sdf: the installer's own.
        File.WriteAllText(directory["bin/lsblk"], """
            #!/bin/sh
            case "$*" in
              *MOUNTPOINT*) case "$*" in *sdf*) echo /run/install/repo ;; esac ;;
              *SERIAL*) printf '/dev/sda S3Z8NX0K\n/dev/sdb\n/dev/sdc S3Z8NX0M\n' ;;
              *) printf '%s\n' '/dev/sda 500000000000 0 0 disk' '/dev/sdc 900000000000 0 0 disk' '/dev/sdb 100000000000 0 0 disk' '/dev/sdd 50000000000 0 1 disk' \
                   '/dev/sde 60000000000 1 0 disk' '/dev/sdf 70000000000 0 0 disk' '/dev/sr0 900000000000 0 0 rom' '/dev/zram0 90000000000 0 0 disk' ;;
            esac
            """.ReplaceLineEndings("\n"));
        File.WriteAllText(directory["bin/curl"], "#!/bin/sh\ncat >/dev/null\nexit 7\n");
        foreach (var tool in (string[])["lsblk", "curl"])
            File.SetUnixFileMode(directory[$"bin/{tool}"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.WriteAllText(directory["script"], script);
        var environment = new Dictionary<string, string> { ["PATH"] = $"{directory["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" };
        return Tool.Try(shell, environment, shell.EndsWith("busybox", StringComparison.Ordinal) ? ["sh", directory["script"]] : [directory["script"]]);
    }

    private static string Section(string kickstart, string name) => KickstartGrammar.Sections(kickstart).First(s => s.Header.Split(' ')[0] == name).Body;

    internal static IEnumerable<string> Scripts(SeedContext context, AnswerFiles files)
    {
        if (AnswerFiles.Has(context, "ks.cfg"))
            return KickstartGrammar.Sections(files.Render(context, "ks.cfg")).Where(s => !s.Header.StartsWith("%packages", StringComparison.Ordinal)).Select(s => s.Body);
        var tree = YamlTree.Read(files.Render(context, "user-data"), out _)!;
        return tree["write_files"]!.AsArray().Where(f => f!["path"]!.GetValue<string>().StartsWith("/run/provisioner/", StringComparison.Ordinal)).Select(f => f!["content"]!.GetValue<string>());
    }
}
