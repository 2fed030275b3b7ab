using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CsCheck;
using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Profiles;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Installing;

/// <summary>
/// What registration lets through arrives as it was given, with the programs that read it: PyYAML, to which <c>no</c>, <c>on</c>, <c>12:30</c>
/// and <c>0x10</c> are no texts; Python's shlex, as pykickstart uses it; and the shells.
/// </summary>
public sealed class HostileValuesTests(InstallerRoots roots) : IClassFixture<InstallerRoots>
{
    // Texts in, what they mean out: YAML, or a kickstart's commands as words. Times and dates are no JSON, and show as what Python calls them.
    private const string Reader = """
        import json, shlex, sys, yaml
        def kickstart(text):
            inside, words = False, []
            for line in text.split("\n"):
                if inside:
                    inside = not line.startswith("%end")
                    if inside and header == "%packages": words.append(["%packages", line])
                elif line.startswith("%") and not line.startswith("%include"): inside, header = True, line.split()[0]
                else: words.append(shlex.split(line, comments=True))
            return [w for w in words if w]
        json.dump([yaml.safe_load(t) if kind == "yaml" else kickstart(t) for kind, t in json.load(sys.stdin)], sys.stdout, default=repr)
        """;

    private static readonly string[] Hostile =
    [
        "no", "on", "off", "yes", "y", "n", "null", "true", "~", "12:30", "12.30", "1.0", "1e3", "0x10", "0o17", "010", "1_000", "2026-03-01", ".inf", ".nan", "=", "<<", "-", "- a", "? a", "a: b", ": a", "a #b", "#a", "!a", "!!str a",
        "&a", "*a", "%a", "@a", "`a`", "{a}", "[a]", "[a", "a]", "a,b", "|", ">", "'", "''", "\"", "\\", "\\n", "'a'", "\"a\"", " a", "a ", "a b", "$HOME", "${HOME}", "$(id)", "a;b", "a&&b", "a||b", "a>b", "a\nb", "\n", "ü", "🚀", "\u00a0", "\ufeff", "\u2028", "\u0085",
        "é", "e\u0301", "%end", "%packages", "a%b", "a^b", "a?b", "a!b", "a(b)", "a=b", "a--b", "_a", "x.y", "x-y", "C.UTF-8", "no_NO.UTF-8", "Etc/GMT+12", "America/Argentina/Buenos_Aires",
        "http://x/?a=$HOME;b&&c", "http://x/$HOME;b&&c", "http://x/$(id)", "http://x/*!@~,%0a", "http://x/a[0]", "0x10.example.com", "a@b", "a/b", "a+b", "g++", "libc6.1-dev", "ds=nocloud;s=x", "foo=[a-z]*?,!bar", new string('a', 31), new string('a', 63), new string('a', 64), new string('a', 128),
        new string('a', 253), new string('a', 256), string.Join('.', Enumerable.Repeat(new string('b', 49), 5)) + ".com",
    ];

    private static readonly Dictionary<string, Func<InstallOptions, string, InstallOptions>> Fields = new(StringComparer.Ordinal)
    {
        ["timeZone"] = (o, v) => o with { TimeZone = v },
        ["locale"] = (o, v) => o with { Locale = v },
        ["keyboard"] = (o, v) => o with { Keyboard = v },
        ["ntp"] = (o, v) => o with { Ntp = [v] },
        ["proxy"] = (o, v) => o with { Proxy = v },
        ["packages"] = (o, v) => o with { Packages = [v] },
        ["kernelArguments"] = (o, v) => o with { KernelArguments = [v] },
        ["user"] = (o, v) => o with { Users = [new UserOptions { Name = v, SshKeys = [AnswerFixture.SshKey], Sudo = true }] },
        ["sshKeys"] = (o, v) => o with { Users = [new UserOptions { Name = "ops", SshKeys = [$"{AnswerFixture.SshKey} {v}"] }] },
        ["searchDomains"] = (o, v) => o with { Network = new NetworkOptions { SearchDomains = [v] } },
        ["repository"] = (o, v) => o with { Repositories = [new PackageRepository { Name = v, Url = "http://x/", Key = AnswerFixture.PgpKey }] },
        ["url"] = (o, v) => o with { Repositories = [new PackageRepository { Name = "x", Url = v, Key = AnswerFixture.PgpKey }] },
        ["suite"] = (o, v) => o with { Repositories = [new PackageRepository { Name = "x", Url = "http://x/", Key = AnswerFixture.PgpKey, Suite = v, Components = [v] }] },
    };

    public static TheoryData<string> Releases { get; } = new("rhel-8", "rhel-10", "ubuntu-20.04", "ubuntu-24.04", "debian-12-diskless");

    /// <summary>What registration takes.</summary>
    private static IEnumerable<(string Field, string Value, InstallOptions Options)> Taken() =>
        from field in Fields
        from value in Hostile
        let options = field.Value(new InstallOptions(), value)
        where IsTaken(options)
        select (field.Key, value, options);

    private static bool IsTaken(InstallOptions options) =>
        ResourceReader.Read(ResourceWriter.ToYaml(new Profile(new Metadata("worker"), new ProfileSpec { Image = "x", Install = options }))).Mistakes.Count == 0;

    [Theory]
    [MemberData(nameof(Releases))]
    public void Every_value_that_is_taken_is_read_as_it_was_given(string release)
    {
        Tool.SkipWithout("/usr/bin/python3", "/usr/lib/python3/dist-packages/yaml/__init__.py");
        var files = AnswerFixture.Files();
        var taken = Taken().ToList();
        Assert.All(Fields.Keys, field => Assert.Contains(taken, t => t.Field == field));
        Assert.True(taken.Count > 200, $"{taken.Count} taken");
        var rhel = release.StartsWith("rhel", StringComparison.Ordinal);

        var read = Read(taken.Select(t => (rhel ? "ks" : "yaml", files.Render(Context(release, t.Options), rhel ? "ks.cfg" : "user-data"))));

        for (var i = 0; i < taken.Count; i++)
        {
            var (field, value, options) = taken[i];
            try
            {
                if (rhel)
                    IsInKickstart(release, field, value, read[i]!.AsArray());
                else if (release.StartsWith("ubuntu", StringComparison.Ordinal))
                    IsInAutoinstall(field, value, read[i]!, Context(release, options));
                else
                    IsInCloudConfig(field, value, read[i]!, Context(release, options));
            }
            catch (Xunit.Sdk.XunitException e)
            {
                Assert.Fail($"{release}, {field} '{value}': {e.Message}");
            }
        }
    }

    private static void IsInKickstart(string release, string field, string value, JsonArray lines)
    {
        string[] Of(string command) => [.. lines.Where(l => l![0]!.GetValue<string>() == command).Select(l => string.Join('\n', l!.AsArray().Skip(1).Select(w => w!.GetValue<string>())))];
        switch (field)
        {
            case "timeZone": Assert.Equal([$"{value}\n--utc" + (release == "rhel-8" ? "\n--ntpservers=10.77.0.123" : "")], Of("timezone")); break;
            case "locale": Assert.Equal([value], Of("lang")); break;
            case "keyboard": Assert.Equal([$"--xlayouts={value}"], Of("keyboard")); break;
            case "ntp" when release == "rhel-8": Assert.Equal([$"UTC\n--utc\n--ntpservers={value}"], Of("timezone")); break;
            case "ntp": Assert.Equal([$"--ntp-server={value}"], Of("timesource")); break;
            case "packages": Assert.Contains(value, Of("%packages")); break;
            case "user":
                Assert.Equal([$"--name={value}\n--lock"], Of("user"));
                Assert.Equal([$"--username={value}\n{AnswerFixture.SshKey}"], Of("sshkey"));
                break;
            case "sshKeys": Assert.Equal([$"--username=ops\n{AnswerFixture.SshKey} {value}"], Of("sshkey")); break;
        }
    }

    private static void IsInAutoinstall(string field, string value, JsonNode tree, SeedContext context)
    {
        var install = tree["autoinstall"]!;
        var user = install["user-data"]!;
        switch (field)
        {
            case "timeZone": Is(value, user["timezone"]); break;
            case "locale": Is(value, install["locale"]); break;
            case "keyboard": Is(value, install["keyboard"]!["layout"]); break;
            case "proxy": Is(value, install["proxy"]); break;
            case "packages": Assert.Contains(install["packages"]!.AsArray(), p => JsonNode.DeepEquals(p, value)); break;
            default: IsInEither(field, value, user, install["apt"]!); break;
        }
        // The scripts in it are what the templates made of them, octet by octet.
        AreFiles(tree, context, ["early", "late", "failed", "target"]);
    }

    private static void IsInCloudConfig(string field, string value, JsonNode tree, SeedContext context)
    {
        switch (field)
        {
            case "timeZone": Is(value, tree["timezone"]); break;
            case "locale": Is(value, tree["locale"]); break;
            case "keyboard": Is(value, tree["keyboard"]!["layout"]); break;
            case "ntp": Is(value, tree["ntp"]!["servers"]![0]); break;
            case "packages": Is(value, tree["packages"]![0]); break;
            case "proxy":
                var escaped = value.Replace("%", "%%", StringComparison.Ordinal);
                Is($"[Manager]\nDefaultEnvironment=\"HTTP_PROXY={escaped}\" \"HTTPS_PROXY={escaped}\" \"NO_PROXY=localhost,127.0.0.1,10.77.0.1\"\n", File(tree, "/etc/systemd/system.conf.d/50-provisioner-proxy.conf"));
                break;
            case "searchDomains": Assert.Contains($"\nDomains={value}\n", File(tree, "/etc/systemd/network/10-provisioner-card0.network")!.GetValue<string>()); break;
            default: IsInEither(field, value, tree, tree["apt"]); break;
        }
        foreach (var file in AnswerFixture.ShortJoin.For(context))
            Is(file.Text, File(tree, file.Path));
        AreFiles(tree, context, ["start"]);
    }

    private static void IsInEither(string field, string value, JsonNode config, JsonNode? apt)
    {
        switch (field)
        {
            case "user": Is(value, config["users"]![0]!["name"]); break;
            case "sshKeys": Is($"{AnswerFixture.SshKey} {value}", config["users"]![0]!["ssh_authorized_keys"]![0]); break;
            case "repository": Is("deb http://x/ ./", apt!["sources"]![value]!["source"]); Is(AnswerFixture.PgpKey, apt["sources"]![value]!["key"]); break;
            case "url": Is($"deb {value} ./", apt!["sources"]!["x"]!["source"]); break;
            case "suite": Is(value == "./" ? "deb http://x/ ./" : $"deb http://x/ {value} {value}", apt!["sources"]!["x"]!["source"]); break;
        }
    }

    private static void AreFiles(JsonNode tree, SeedContext context, string[] names)
    {
        var meant = YamlTree.Read(AnswerFixture.Files().Render(context, "user-data"), out _)!;
        Assert.All(names, name =>
        {
            Is(File(meant, $"/run/provisioner/{name}")!.GetValue<string>(), File(tree, $"/run/provisioner/{name}"));
            Assert.StartsWith("#!/bin/sh\n", File(tree, $"/run/provisioner/{name}")!.GetValue<string>(), StringComparison.Ordinal);
        });
    }

    private static JsonNode? File(JsonNode tree, string path) => tree["write_files"]!.AsArray().Single(f => f!["path"]!.GetValue<string>() == path)!["content"];

    private static void Is(string expected, JsonNode? read) => Assert.Equal(JsonValue.Create(expected).ToJsonString(), read?.ToJsonString());

    // Names that YAML, shells and DNS could take for something else, up to the longest a host may have.
    [Fact]
    public void A_hosts_name_arrives()
    {
        Tool.SkipWithout("/usr/bin/python3", "/usr/lib/python3/dist-packages/yaml/__init__.py");
        string[] names = ["no", "on", "null", "true", "0x10", "1e3", "12.30", "010", "1.0", "a--b", new string('a', 63), new string('a', 60) + ".bcd"];
        var files = AnswerFixture.Files();
        foreach (var name in names)
        {
            Assert.Null(Texts.Name(name, 64));
            SeedContext For(string release) => Context(release, new InstallOptions()) is var context ? context with { Host = context.Host with { Metadata = new Metadata(name) } } : null!;
            var diskless = For("debian-12-diskless");
            var read = Read([("yaml", files.Render(diskless, "meta-data")), ("yaml", files.Render(diskless, "user-data")), ("yaml", files.Render(For("ubuntu-22.04"), "user-data")), ("ks", files.Render(For("rhel-9"), "ks.cfg"))]);
            Is(name, read[0]!["local-hostname"]);
            Is("00112233445566778899aabbccddeeff", read[0]!["instance-id"]);
            Is(name, read[1]!["hostname"]);
            Is($"APPLIANCE=https://10.77.0.1:8443\nHOST={name}\nINSTALLATION=00112233445566778899aabbccddeeff\n", File(read[1]!, "/etc/provisioner/join.conf"));
            Is(name, read[2]!["autoinstall"]!["user-data"]!["hostname"]);
            Assert.Contains(read[3]!.AsArray(), line => line![0]!.GetValue<string>() == "network" && line.AsArray().Any(w => w!.GetValue<string>() == $"--hostname={name}"));
        }
        Assert.NotNull(Texts.Name(new string('a', 60) + ".bcde", 64));
        Assert.NotNull(Texts.Name(string.Join('.', Enumerable.Repeat(new string('b', 49), 5)) + ".com", 64));
    }

    private static readonly string[] Fragments =
    [
        "'", "''", "'\\''", "\"", "\\", "\\\n", "$HOME", "${x}", "$(exit 1)", "`false`", ";", "&&", "||", "|", "&", ">", "<<END", "\n", "\n\n", "\t", " ", "%end", "\n%end\n", "\n%packages\n", "%", "#", "# ", "{{x}}", "{{{x}}}", "{{/if}}",
        "- a", ": ", "\n---\n", "\n...\n", "!", "*a", "&a", "@", "ü", "é", "🚀", "\u00a0", "no", "on", "12:30", "0x10", "~", "\u200b", "\ud7ff", "\uffe6", "END", "EOF", "exit 3", "put '/etc/x'", "%%", "%s", "\\n", "\\0", "\\c",
    ];

    private static readonly Gen<string> Steps = Gen.OneOf(Gen.Int[0, Fragments.Length - 1].Select(i => Fragments[i]), Gen.Char[' ', '~'].Array[0, 12].Select(c => new string(c)))
        .Array[1, 24].Select(parts => string.Concat(parts)).Where(text => text.Trim().Length > 0);

    /// <summary>Any steps that are taken arrive in their file octet by octet, whatever carries them and whichever shell writes it.</summary>
    [Fact]
    public void A_profiles_own_steps_arrive()
    {
        Tool.SkipWithout("/usr/bin/python3", "/usr/lib/python3/dist-packages/yaml/__init__.py", "/bin/dash", "/bin/bash", "/usr/bin/busybox");
        var files = AnswerFixture.Files();
        var count = 0;
        Steps.Array[20].Sample(texts =>
        {
            var options = texts.Select(text => new InstallOptions { Before = text, After = text }).Where(IsTaken).ToList();
            count += options.Count;
            using var directory = new TemporaryDirectory();
            foreach (var release in (string[])["rhel-9", "ubuntu-24.04", "debian-12-diskless"])
            {
                List<(string Script, string Text)> scripts = [];
                if (release == "rhel-9")
                {
                    foreach (var each in options)
                    {
                        var sections = KickstartGrammar.Sections(files.Render(Context(release, each), "ks.cfg")).ToList();
                        scripts.Add((sections.First(s => s.Header.StartsWith("%pre ", StringComparison.Ordinal)).Body, each.Before!));
                        scripts.Add((sections.First(s => s.Header.StartsWith("%post", StringComparison.Ordinal)).Body, each.After!));
                    }
                }
                else
                {
                    var read = Read(options.Select(each => ("yaml", files.Render(Context(release, each with { Diskless = release.Contains("diskless", StringComparison.Ordinal) }), "user-data"))));
                    for (var i = 0; i < options.Count; i++)
                    {
                        foreach (var name in release == "ubuntu-24.04" ? new[] { "early", "target" } : ["start"])
                            scripts.Add((File(read[i]!, $"/run/provisioner/{name}")!.GetValue<string>(), options[i].After!));
                    }
                }
                foreach (var shell in (string[][])[["/bin/dash"], ["/bin/bash"], ["/usr/bin/busybox", "sh"]])
                    Arrive(directory, shell, scripts);
            }
        }, iter: 3, threads: 1);
        Assert.True(count > 40, $"{count} were taken");
    }

    // Of each script the functions it writes files by, and the lines about the profile's steps, with the step read instead of run.
    private static void Arrive(TemporaryDirectory directory, string[] shell, List<(string Script, string Text)> scripts)
    {
        var all = new System.Text.StringBuilder("set -eu\n");
        for (var i = 0; i < scripts.Count; i++)
        {
            var script = scripts[i].Script;
            var put = Regex.Match(script, @"^put\(\) \{\n(?:  .*\n)+\}\n", RegexOptions.Multiline).Value;
            var steps = Regex.Matches(script, @"(?<=\n)(?:\(umask 077 && )?(?:printf '%s' |put /run/provisioner/|put '/run/provisioner/)(?:[^\0]*?)\nsh -e /run/provisioner/(?<name>before|after)\b");
            Assert.NotEmpty(steps);
            for (var j = 0; j < steps.Count; j++)
            {
                var text = steps[j].Value.Replace("sh -e /run/provisioner/", $"cp /run/provisioner/{steps[j].Groups["name"].Value} /run/provisioner/{i}-{j} #", StringComparison.Ordinal);
                // Only where the scripts mean it: the steps may hold anything.
                all.Append(put).Append(text).Append('\n');
            }
        }
        Directory.CreateDirectory(directory["run"]);
        System.IO.File.WriteAllText(directory["script"], all.ToString().Replace("/run/provisioner", directory["run"], StringComparison.Ordinal));
        var (code, said) = Tool.Try(shell[0], null, [.. shell.Skip(1), directory["script"]]);
        Assert.True(code == 0, said);
        for (var i = 0; i < scripts.Count; i++)
        {
            for (var j = 0; System.IO.File.Exists(directory[$"run/{i}-{j}"]); j++)
                Assert.Equal(scripts[i].Text, System.IO.File.ReadAllText(directory[$"run/{i}-{j}"]));
            Assert.True(System.IO.File.Exists(directory[$"run/{i}-0"]));
        }
        Directory.Delete(directory["run"], recursive: true);
    }

    [Fact]
    public void Steps_that_no_file_could_carry_are_refused() =>
        Assert.All((string[])["a\rb", "a\0b", "a\u001bb", "a\ud800b", " \n\t"], text =>
            Assert.False(new TextKind("a shell text", "lines", _ => null).TryRead(new TextNode.Scalar(text, true, default), "spec.install.after", new Reading(), out _)));

    /// <summary>The whole scripts run with such values, and what they write or say is what was meant.</summary>
    [Fact]
    public void Hostile_values_arrive_in_the_installed_system()
    {
        const string Argument = "foo=[a-z]*?,!bar(#)^~%s@+:/=";
        const string Proxy = "http://x/a=$HOME;b&&c(d)*!@~,%0a";
        var options = new InstallOptions
        {
            Users = [new UserOptions { Name = "no", SshKeys = [AnswerFixture.SshKey], Sudo = true }],
            Ntp = ["no", "0x10.example.com"],
            Proxy = Proxy,
            Packages = ["0x10", "g++"],
            Repositories = [new PackageRepository { Name = "on", Url = "http://x/$(id);&&b", Key = AnswerFixture.PgpKey }],
            KernelArguments = [Argument, "no", new string('x', 256)],
        };
        Assert.True(IsTaken(options));
        var root = roots.Make("bash", "mnt/sysimage");
        root.Write("mnt/sysimage/etc/dnf/dnf.conf", "[main]\n");
        var kickstart = AnswerFixture.Files().Render(Context("rhel-9", options), "ks.cfg");
        var sections = KickstartGrammar.Sections(kickstart).ToList();
        Assert.Equal(0, root.Run(sections.First(s => s.Header.StartsWith("%pre ", StringComparison.Ordinal)).Body).Code);
        Assert.Equal(0, root.Run(sections.First(s => s.Header.StartsWith("%post", StringComparison.Ordinal)).Body, inInstalled: true).Code);
        var boot = Read([("ks", System.IO.File.ReadAllText(root["tmp/provisioner-disks.ks"]))])[0]!.AsArray().Single(l => l![0]!.GetValue<string>() == "bootloader")!;
        Is($"--append={Argument} no {new string('x', 256)}", boot[2]);
        Assert.Equal($"[main]\nproxy={Proxy}\n", System.IO.File.ReadAllText(root["mnt/sysimage/etc/dnf/dnf.conf"]));
        Assert.Equal("no ALL=(ALL) NOPASSWD:ALL\n", System.IO.File.ReadAllText(root["mnt/sysimage/etc/sudoers.d/50-provisioner-no"]));
        Assert.Contains("\nbaseurl=http://x/$(id);&&b\n", System.IO.File.ReadAllText(root["mnt/sysimage/etc/yum.repos.d/on.repo"]));
        Assert.Contains("dnf --assumeyes --setopt=gpgcheck=1 install 0x10 g++", root.Calls);

        var ubuntu = roots.Make("dash", "target");
        ubuntu.Write("target/etc/ufw/ufw.conf", "ENABLED=no\n");
        var target = File(YamlTree.Read(AnswerFixture.Files().Render(Context("ubuntu-24.04", options), "user-data"), out _)!, "/run/provisioner/target")!.GetValue<string>();
        var (code, said) = ubuntu.Run(target, inInstalled: true);
        Assert.True(code == 0, said);
        Assert.Equal("[Time]\nNTP=no 0x10.example.com\n", System.IO.File.ReadAllText(ubuntu["target/etc/systemd/timesyncd.conf.d/50-provisioner.conf"]));
        (code, said) = ubuntu.Run(". /etc/default/grub.d/50-provisioner.cfg\nprintf '%s' \"$GRUB_CMDLINE_LINUX\"", inInstalled: true);
        Assert.Equal((0, $" {Argument} no {new string('x', 256)}"), (code, said.Replace("/script: 1: GRUB_CMDLINE_LINUX: parameter not set\n", "", StringComparison.Ordinal)));
    }

    private static SeedContext Context(string release, InstallOptions options)
    {
        var diskless = release.EndsWith("diskless", StringComparison.Ordinal);
        return AnswerFixture.Context(AnswerFixture.Image(release, CpuArchitecture.X64), options with { Diskless = diskless });
    }

    private static JsonArray Read(IEnumerable<(string Kind, string Text)> texts)
    {
        var asked = new JsonArray([.. texts.Select(JsonNode? (t) => new JsonArray(t.Kind, t.Text))]).ToJsonString();
        var (code, said) = Tool.Try("/usr/bin/python3", null, asked, ["-c", Reader]);
        Assert.True(code == 0, said);
        return JsonNode.Parse(said)!.AsArray();
    }
}
