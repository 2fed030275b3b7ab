using System.Text.Json.Nodes;
using Provisioner.Resources;
using Provisioner.Templates;

namespace Provisioner.Installing;

/// <summary>
/// The answers of one host's unattended installation, by the names that installers ask for. Pure: the same context gives the same text.
/// </summary>
internal sealed partial class AnswerFiles(TemplateEngine templates, JoinFiles join)
{
    private static readonly string[] CloudNames = ["meta-data", "user-data", "vendor-data"];

    /// <summary>Whether there is such a file for that host. Others do not exist: an installer that asks for more goes on without.</summary>
    public static bool Has(SeedContext context, string name) =>
        context.Profile.Spec.Install is { } options && InstallTarget.Of(context.Image, options.Diskless, out _) is { } target
        && (target.Reader == AnswerReader.Kickstart ? name == "ks.cfg" : CloudNames.Contains(name, StringComparer.Ordinal));

    /// <summary>The text of one file. It holds the token: it is for that host alone, and never for a log.</summary>
    /// <exception cref="SeedRefusedException">Host and profile do not go together; says why.</exception>
    /// <exception cref="TemplateException">A value cannot be written safely, or a template is wrong.</exception>
    public string Render(SeedContext context, string name)
    {
        if (!Has(context, name))
            throw new SeedRefusedException($"there is no {name} for Host {context.Host.Name}");
        var plan = InstallPlan.Resolve(context.Host, context.Profile, context.Image, context.Network, context.Cluster, out var reasons)
            ?? throw new SeedRefusedException($"Host {context.Host.Name} cannot be installed: {string.Join("; ", reasons)}");
        if (plan.Disk.Encryption == DiskEncryption.Passphrase && !plan.Options.Diskless && !IsPassphrase(context.Secrets.DiskPassphrase))
            throw new SeedRefusedException($"Host {context.Host.Name} cannot be installed: its disk is to be encrypted with a passphrase, and there is none of letters, digits and hyphens");
        if (PackageSource.WhyNotHere(context.Profile.Name, plan.Options, context.Upstreams) is { } nowhere)
            throw new SeedRefusedException($"Host {context.Host.Name} cannot be installed: {nowhere}");
        return name switch
        {
            "ks.cfg" => Kickstart(context, plan),
            "meta-data" => Checked("cloud-init/meta-data", new Dictionary<string, object?>
            {
                ["instance"] = context.Installation.Id,
                ["hostname"] = plan.Host,
            }, new() { ["instance-id"] = context.Installation.Id, ["local-hostname"] = plan.Host }),
            "vendor-data" => Checked("cloud-init/vendor-data", new Dictionary<string, object?>(), []),
            _ => plan.Target.Reader == AnswerReader.Autoinstall ? Autoinstall(context, plan) : CloudInit(context, plan),
        };
    }

    private static bool IsPassphrase(string? text) => text is { Length: >= 8 and <= 128 } && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

    private string Autoinstall(SeedContext context, InstallPlan plan)
    {
        var options = plan.Options;
        var files = new JsonArray();
        void Write(string name, string template, Dictionary<string, object?> values) => files.Add(new JsonObject
        {
            ["path"] = $"/run/provisioner/{name}",
            ["permissions"] = "0700",
            ["content"] = templates.Render(template, values),
        });

        Write("early", "autoinstall/early", new()
        {
            ["report"] = Report(context),
            ["disks"] = Disks(plan),
            ["syslog"] = context.SyslogServer,
            ["before"] = options.Before,
            ["tpm"] = plan.Disk.Encryption == DiskEncryption.Tpm2,
            ["passphrase"] = plan.Disk.Encryption == DiskEncryption.Passphrase ? context.Secrets.DiskPassphrase : null,
            ["second"] = plan.Disk.Mirror,
        });
        Write("target", "seed/target", Target(context, plan));
        if (plan.Disk.Encryption == DiskEncryption.Tpm2)
            Write("seal", "seed/seal", new() { ["dracut"] = false });
        Write("late", "autoinstall/late", new() { ["report"] = Report(context), ["tpm"] = plan.Disk.Encryption == DiskEncryption.Tpm2 });
        Write("failed", "autoinstall/failed", new() { ["report"] = Report(context) });

        var storage = AutoinstallStorage.Of(plan);
        var network = NetworkFiles.InstallerTree(plan.Network);
        var packages = new JsonArray([.. Packages(plan).Select(JsonNode? (p) => p)]);
        var userData = InstalledUserData(plan);
        var reporting = new JsonObject { ["provisioner"] = new JsonObject { ["type"] = "webhook", ["endpoint"] = $"{context.ReportUrl}/webhook", ["level"] = "INFO" } };
        var apt = Apt(context, plan);
        // Which of the image's variants; Ubuntu 20.04 has one, and its installer does not know the key.
        var source = plan.Target.Major >= 22 ? "ubuntu-server" : null;
        return Checked("autoinstall/user-data", new Dictionary<string, object?>
        {
            ["files"] = files,
            ["locale"] = options.Locale,
            ["keyboard"] = options.Keyboard,
            ["source"] = source,
            ["proxy"] = options.Proxy,
            ["apt"] = apt,
            ["network"] = network,
            ["storage"] = storage,
            ["packages"] = packages,
            ["userData"] = userData,
            ["reporting"] = reporting,
        }, new JsonObject
        {
            ["write_files"] = files.DeepClone(),
            ["autoinstall"] = With(new JsonObject
            {
                ["version"] = 1,
                ["interactive-sections"] = new JsonArray(),
                ["refresh-installer"] = new JsonObject { ["update"] = false },
                ["locale"] = options.Locale,
                ["keyboard"] = new JsonObject { ["layout"] = options.Keyboard },
                ["source"] = source is null ? null : new JsonObject { ["id"] = source },
                ["proxy"] = options.Proxy,
                ["apt"] = apt.DeepClone(),
                ["network"] = network.DeepClone(),
                ["storage"] = storage.DeepClone(),
                ["ssh"] = new JsonObject { ["install-server"] = true, ["allow-pw"] = false },
                ["packages"] = packages.DeepClone(),
                ["updates"] = "security",
                ["user-data"] = userData.DeepClone(),
                ["reporting"] = reporting.DeepClone(),
                ["early-commands"] = new JsonArray("sh /run/provisioner/early"),
                ["late-commands"] = new JsonArray("sh /run/provisioner/late"),
                ["error-commands"] = new JsonArray("sh /run/provisioner/failed"),
                ["shutdown"] = "reboot",
            }),
        });
    }

    // What is null was not to be there.
    private static JsonObject With(JsonObject tree)
    {
        foreach (var key in tree.Where(entry => entry.Value is null).Select(entry => entry.Key).ToList())
            tree.Remove(key);
        return tree;
    }

    private static JsonObject Apt(SeedContext context, InstallPlan plan)
    {
        var apt = new JsonObject { ["geoip"] = false, ["preserve_sources_list"] = false };
        if (plan.Options.Mirror is { } mirror)
        {
            // Ubuntu's archives have the security suite as well; alone, the primary one would leave it to the internet.
            foreach (var key in (string[])["primary", "security"])
                apt[key] = new JsonArray(new JsonObject { ["arches"] = new JsonArray("default"), ["uri"] = context.AddressOf(mirror) });
        }
        // The appliance is not asked through the way out (apt.conf(5), "Acquire::http::Proxy").
        if (plan.Options.Proxy is not null && PackageSource.CachedOf(plan.Options).Any())
            apt["conf"] = $"Acquire::http::Proxy::{context.ApplianceHost} \"DIRECT\";\n";
        if (plan.Options.Repositories.IsEmpty)
            return apt;
        var sources = new JsonObject();
        foreach (var repository in plan.Options.Repositories)
        {
            // A flat repository has no components (sources.list(5)).
            var suite = repository.Suite ?? "./";
            var url = context.AddressOf(repository.Url);
            sources[repository.Name] = new JsonObject
            {
                ["source"] = suite == "./" ? $"deb {url} ./" : $"deb {url} {suite} {string.Join(' ', repository.Components.IsDefaultOrEmpty ? ["main"] : repository.Components)}",
                ["key"] = repository.Key,
            };
        }
        apt["sources"] = sources;
        return apt;
    }

    /// <summary>What cloud-init does at the first boot of the installed system.</summary>
    private static JsonObject InstalledUserData(InstallPlan plan) => new()
    {
        ["hostname"] = plan.Host,
        ["preserve_hostname"] = false,
        ["timezone"] = plan.Options.TimeZone,
        ["disable_root"] = true,
        ["ssh_pwauth"] = false,
        ["users"] = Users(plan),
    };

    private static JsonArray Users(InstallPlan plan)
    {
        var users = new JsonArray();
        foreach (var user in plan.Options.Users)
        {
            var written = new JsonObject { ["name"] = user.Name, ["shell"] = "/bin/bash", ["lock_passwd"] = user.PasswordHash is null };
            if (user.PasswordHash is { } hash)
                written["passwd"] = hash;
            if (user.Sudo)
                written["sudo"] = "ALL=(ALL) NOPASSWD:ALL";
            if (!user.SshKeys.IsEmpty)
                written["ssh_authorized_keys"] = new JsonArray([.. user.SshKeys.Select(JsonNode? (k) => k)]);
            users.Add(written);
        }
        return users;
    }

    /// <summary>The distribution's names of what the host needs, and the profile's own.</summary>
    public static IEnumerable<string> Packages(InstallTarget target, InstallOptions options)
    {
        var packages = new List<string> { "curl", "openssl" };
        if (target.IsRhel)
            packages.AddRange(["chrony", "tar"]);
        if (!options.Diskless && target.Family == "ubuntu" && options.Firewall?.Mode != FirewallMode.Off)
            packages.Add("ufw");
        if (!options.Diskless && options.Disk?.Encryption == DiskEncryption.Tpm2)
            packages.AddRange(target.IsRhel ? ["clevis", "clevis-luks", "clevis-dracut", "clevis-systemd"] : ["clevis", "clevis-luks", "clevis-initramfs", "clevis-tpm2"]);
        return packages.Concat(options.Packages).Distinct(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Packages(InstallPlan plan) => Packages(plan.Target, plan.Options);

    private Rendered Report(SeedContext context) => templates.Part("seed/report", new Dictionary<string, object?> { ["url"] = context.ReportUrl });

    private Rendered Disks(InstallPlan plan)
    {
        var match = plan.Match;
        var bytes = match.MinimumGiB * (1L << 30);
        var word = match.Choose == DiskOrder.Smallest ? "smallest" : "largest";
        return templates.Part("seed/disks", new Dictionary<string, object?>
        {
            ["minimum"] = bytes.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["paths"] = match.Paths.ToList(),
            ["serials"] = match.Serials.ToList(),
            ["order"] = match.Choose == DiskOrder.Smallest ? "-k1,1n" : "-k1,1nr",
            ["count"] = plan.Disks.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["tooFew"] = $"The installation takes the {word} {(plan.Disks == 1 ? "fixed disk" : "two fixed disks")} of at least {match.MinimumGiB} GiB, and there {(plan.Disks == 1 ? "is none" : "are fewer")}.",
            ["second"] = plan.Disk.Mirror,
        });
    }

    private Dictionary<string, object?> Target(SeedContext context, InstallPlan plan)
    {
        var rhel = plan.Target.IsRhel;
        var ufw = !rhel && plan.Firewall.Mode == FirewallMode.On;
        return new()
        {
            ["report"] = Report(context),
            ["networkManager"] = rhel,
            ["netplan"] = !rhel,
            ["files"] = Files(context, plan).Select(file => new Dictionary<string, object?> { ["path"] = file.Path, ["mode"] = file.Mode, ["text"] = file.Text }).ToList(),
            // With what vouches for the packages filled in on the host: the keys its own distribution came with.
            ["mirror"] = plan.MirrorTrees.Select(tree => new Dictionary<string, object?> { ["path"] = $"/etc/yum.repos.d/{tree.Name}.repo", ["text"] = Repository(context, plan, tree.Name, tree.Source) }).ToList(),
            ["dnfProxy"] = rhel ? plan.Options.Proxy : null,
            // With a repository of the profile's, dnf installs what is wanted, since Anaconda takes no key for one.
            ["dnf"] = rhel && !plan.Options.Repositories.IsEmpty ? plan.Options.Packages.ToList() : new List<string>(),
            ["bootArguments"] = !rhel && !plan.Options.KernelArguments.IsEmpty,
            ["ufwOff"] = !rhel && !ufw,
            ["ufw"] = ufw ? plan.Ports.Select(port => port.Replace('-', ':')).ToList() : new List<string>(),
            ["units"] = join.UnitsFor(context).ToList(),
            ["after"] = plan.Options.After,
        };
    }

    private IEnumerable<HostFile> Files(SeedContext context, InstallPlan plan)
    {
        foreach (var file in join.For(context))
            yield return file;
        foreach (var file in plan.Options.Diskless ? NetworkFiles.Networkd(plan.Network) : plan.Target.IsRhel ? NetworkFiles.NetworkManager(plan.Host, plan.Network) : NetworkFiles.Netplan(plan.Network))
            yield return file;
        if (plan.Options.Proxy is { } proxy)
        {
            // Every service of the host; what talks to the appliance does not go out.
            var appliance = new Uri(context.ApplianceSecureUrl).Host;
            yield return new("/etc/systemd/system.conf.d/50-provisioner-proxy.conf", "0644",
                $"[Manager]\nDefaultEnvironment=\"HTTP_PROXY={Systemd(proxy)}\" \"HTTPS_PROXY={Systemd(proxy)}\" \"NO_PROXY=localhost,127.0.0.1,{appliance}\"\n");
        }
        if (plan.Target.Reader == AnswerReader.Autoinstall && !plan.Ntp.IsEmpty)
            yield return new("/etc/systemd/timesyncd.conf.d/50-provisioner.conf", "0644", $"[Time]\nNTP={string.Join(' ', plan.Ntp)}\n");
        if (plan.Target.Reader == AnswerReader.Autoinstall && !plan.Options.KernelArguments.IsEmpty)
            yield return new("/etc/default/grub.d/50-provisioner.cfg", "0644", $"GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX \"{Quoting.ShellWord(string.Join(' ', plan.Options.KernelArguments))}\n");
        if (plan.Target.IsRhel)
        {
            foreach (var repository in plan.Options.Repositories)
            {
                var key = $"/etc/pki/rpm-gpg/RPM-GPG-KEY-{repository.Name}";
                yield return new(key, "0644", repository.Key);
                yield return new($"/etc/yum.repos.d/{repository.Name}.repo", "0644",
                    $"{Repository(context, plan, repository.Name, repository.Url)}gpgkey=file://{key}\n");
            }
            foreach (var user in plan.Options.Users.Where(user => user.Sudo && plan.Target.Reader == AnswerReader.Kickstart))
                yield return new($"/etc/sudoers.d/50-provisioner-{user.Name}", "0440", $"{user.Name} ALL=(ALL) NOPASSWD:ALL\n");
        }
    }

    // The appliance is not asked through the way out (dnf.conf(5), "proxy").
    private static string Repository(SeedContext context, InstallPlan plan, string name, string source) =>
        $"[{name}]\nname={name}\nbaseurl={context.AddressOf(source)}\n{(plan.Options.Proxy is not null && PackageSource.IsCached(source) ? "proxy=_none_\n" : "")}enabled=1\ngpgcheck=1\n";

    // A percent sign begins a specifier (systemd.unit(5)).
    private static string Systemd(string value) => value.Replace("%", "%%", StringComparison.Ordinal);

    /// <summary>Renders YAML, reads it back strictly, and compares it with what was meant. A replaced template may mean more; what it says must be well formed.</summary>
    private string Checked(string template, Dictionary<string, object?> values, JsonObject meant)
    {
        var text = templates.Render(template, values);
        var read = YamlTree.Read(text, meant, out var mistakes);
        if (mistakes.Count > 0)
            throw new TemplateException(template, $"gave YAML that is not right: {mistakes[0]}");
        if (read is not JsonObject && !(read is null && meant.Count == 0))
            throw new TemplateException(template, "gave YAML that is no mapping");
        if (!templates.IsOverridden(template) && !JsonNode.DeepEquals(read, meant))
            throw new TemplateException(template, $"gave YAML that reads as something else at {Difference(read!, meant, "")}");
        return text;
    }

    private static string Difference(JsonNode? read, JsonNode? meant, string path)
    {
        if (read is JsonObject a && meant is JsonObject b)
        {
            foreach (var key in a.Select(e => e.Key).Union(b.Select(e => e.Key)))
            {
                if (!JsonNode.DeepEquals(a[key], b[key]) || a.ContainsKey(key) != b.ContainsKey(key))
                    return Difference(a[key], b[key], path.Length == 0 ? key : $"{path}.{key}");
            }
        }
        if (read is JsonArray list && meant is JsonArray other && list.Count == other.Count)
        {
            for (var i = 0; i < list.Count; i++)
            {
                if (!JsonNode.DeepEquals(list[i], other[i]))
                    return Difference(list[i], other[i], $"{path}[{i}]");
            }
        }
        return path.Length == 0 ? "the top" : path;
    }
}
