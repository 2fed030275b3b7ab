using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Artifacts;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Artifacts;

/// <summary>A cache that was warmed by a Profile's name, with its upstream gone, as the real apt and dnf find it.</summary>
public sealed class OfflineTests : IDisposable
{
    // Whoever tests behind a proxy asks the appliance without it.
    private static readonly Dictionary<string, string> Direct = new() { ["no_proxy"] = "127.0.0.1", ["LC_ALL"] = "C" };

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("stable", true)]
    [InlineData("stable", false)]
    [InlineData("./", false)]
    public async Task Apt_installs_from_a_warmed_cache(string suite, bool byHash)
    {
        Tool.SkipWithout("/usr/bin/apt-get", "/usr/bin/dpkg-deb", "/usr/bin/gpg", "/usr/bin/gpgv", "/usr/bin/xz");
        await using var upstream = await UpstreamDouble.StartAsync();
        var wanted = PublishApt(upstream, suite, byHash);
        await using var appliance = await RunningAppliance.StartAsync(artifacts: Options(upstream, UpstreamKind.Apt));
        await ApplyAsync(appliance, "ubuntu", "24.04", suite == "./" ? "url: cache:up/debs" : $"url: cache:up/debs/, suite: {suite}, components: [main]");

        var warmed = (await appliance.RunAsync("cache", "warm", "worker")).Succeeded();

        foreach (var package in wanted.Keys)
            Assert.Contains($"{package} is here: ", warmed, StringComparison.Ordinal);
        Assert.DoesNotContain("unrelated", warmed, StringComparison.Ordinal);
        Assert.DoesNotContain("app-lib_1.9", warmed, StringComparison.Ordinal);
        Assert.Contains("files/fw.bin is here", warmed, StringComparison.Ordinal);
        Assert.Contains("package openssl is not here: Profile worker installs it, and no archive from the cache has it", warmed, StringComparison.Ordinal);
        var json = JsonNode.Parse((await appliance.RunAsync("cache", "warm", "worker", "-o", "json")).Succeeded())!["items"]!.AsArray();
        Assert.All(json, item => Assert.Contains(item!["state"]!.GetValue<string>(), (string[])["ready", "unresolved"]));

        upstream.IsAway = true;
        var at = $"http://127.0.0.1:{appliance.BootPort}/artifacts/up/debs";
        foreach (var key in (string[])["lists/partial", "archives/partial", "none"])
            Directory.CreateDirectory(directory["apt/" + key]);
        File.WriteAllText(directory["apt/sources.list"], $"deb [signed-by={directory["key.gpg"]}] {at} {(suite == "./" ? "./" : suite + " main")}\n");
        File.WriteAllText(directory["apt/status"], "");
        string[] options =
        [
            "-q", "-o", $"Dir::Etc::SourceList={directory["apt/sources.list"]}", "-o", $"Dir::Etc::SourceParts={directory["apt/none"]}", "-o", $"Dir::Etc::Parts={directory["apt/none"]}",
            "-o", $"Dir::State::status={directory["apt/status"]}", "-o", $"Dir::State::Lists={directory["apt/lists"]}", "-o", $"Dir::State={directory["apt"]}", "-o", $"Dir::Cache={directory["apt"]}",
            "-o", $"Dir::Cache::Archives={directory["apt/archives"]}/", "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64", "-o", "Debug::NoLocking=1",
            "-o", "Acquire::http::Proxy=DIRECT", "-o", "Acquire::Retries=0",
        ];
        var (updated, said) = Tool.Try("/usr/bin/apt-get", Direct, [.. options, "-o", "APT::Update::Error-Mode=any", "update"]);
        Assert.True(updated == 0, said);
        var (installed, told) = Tool.Try("/usr/bin/apt-get", Direct, [.. options, "--yes", "--download-only", "install", "app"]);
        Assert.True(installed == 0, told);

        Assert.Equal(wanted.Values.Select(ArtifactSite.Sha256).Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(directory["apt/archives"], "*.deb").Select(file => ArtifactSite.Sha256(File.ReadAllBytes(file))).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Dnf_installs_from_a_warmed_cache()
    {
        Tool.SkipWithout("/usr/bin/dnf", "/usr/bin/rpmbuild", "/usr/bin/createrepo_c");
        await using var upstream = await UpstreamDouble.StartAsync();
        var wanted = PublishDnf(upstream);
        await using var appliance = await RunningAppliance.StartAsync(artifacts: Options(upstream, UpstreamKind.Dnf));
        await ApplyAsync(appliance, "rocky", "9.4", "url: cache:up/$releasever/$basearch/os");

        var warmed = (await appliance.RunAsync("cache", "warm", "worker")).Succeeded();

        foreach (var package in wanted.Keys)
            Assert.Contains($"{package} is here: ", warmed, StringComparison.Ordinal);
        Assert.DoesNotContain("unrelated", warmed, StringComparison.Ordinal);
        Assert.DoesNotContain("app-lib-1.9", warmed, StringComparison.Ordinal);
        Assert.Contains("package chrony is not here: ", warmed, StringComparison.Ordinal);

        upstream.IsAway = true;
        File.WriteAllText(directory["dnf.conf"], $"""
            [main]
            reposdir={directory["none"]}
            logdir={directory["log"]}
            persistdir={directory["persist"]}
            cachedir={directory["cache"]}
            plugins=0
            [up]
            name=up
            baseurl=http://127.0.0.1:{appliance.BootPort}/artifacts/up/$releasever/$basearch/os
            gpgcheck=0
            retries=1

            """);
        Directory.CreateDirectory(directory["root"]);
        var (code, said) = Tool.Try("/usr/bin/dnf", Direct,
            ["--config", directory["dnf.conf"], "--installroot", directory["root"], "--releasever", "9", "--forcearch", "x86_64", "--assumeyes", "install", "--downloadonly", "--downloaddir", directory["rpms"], "app"]);
        Assert.True(code == 0, said);

        Assert.Equal(wanted.Values.Select(ArtifactSite.Sha256).Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(directory["rpms"], "*.rpm").Select(file => ArtifactSite.Sha256(File.ReadAllBytes(file))).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_a_host_joins_with_is_warmed_as_well()
    {
        await using var upstream = await UpstreamDouble.StartAsync();
        var kubelet = new byte[1000];
        upstream.Add("manifest.yaml", Encoding.UTF8.GetBytes($$"""
            supported_eks_releases:
            - major_minor_version: "1.34"
              latest_patch_version: "2"
              patch_releases:
              - patch_version: "2"
                release_date: 2026-01-15
                artifacts:
                - {arch: amd64, name: kubelet, os: linux, uri: "{{upstream.Url}}amd64/kubelet", checksum_uri: "{{upstream.Url}}amd64/kubelet.sha256"}
                - {arch: arm64, name: kubelet, os: linux, uri: "{{upstream.Url}}arm64/kubelet", checksum_uri: "{{upstream.Url}}arm64/kubelet.sha256"}
            """));
        upstream.Add("amd64/kubelet", kubelet);
        upstream.Add("amd64/kubelet.sha256", Encoding.ASCII.GetBytes(ArtifactSite.Sha256(kubelet)));
        upstream.Add("releases/v1.0.20/bin/linux/amd64/nodeadm", [1, 2]);
        upstream.Add("releases/v1.0.20/bin/linux/amd64/nodeadm.sha256", Encoding.ASCII.GetBytes(ArtifactSite.Sha256([1, 2])));
        await using var appliance = await RunningAppliance.StartAsync(artifacts: Options(upstream, UpstreamKind.Nodeadm));
        await ApplyAsync(appliance, "ubuntu", "24.04", null, ", cluster: edge", """
            apiVersion: provisioner/v1
            kind: Cluster
            metadata: {name: edge}
            spec: {region: eu-west-1, kubernetesVersion: "1.34", nodeadm: v1.0.20, nodeadmUpstream: up}
            ---

            """);

        var warmed = (await appliance.RunAsync("cache", "warm", "worker")).Succeeded();

        Assert.Equal(5, warmed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        foreach (var path in (string[])["files/fw.bin", "up/releases/v1.0.20/bin/linux/amd64/nodeadm", "up/releases/v1.0.20/bin/linux/amd64/nodeadm.sha256", "up/manifest.yaml", $"up/from/{upstream.Url.Authority}/amd64/kubelet"])
            Assert.Contains($"{path} is here: ", warmed, StringComparison.Ordinal);
        upstream.IsAway = true;
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{appliance.BootPort}/artifacts/up/") };
        Assert.Equal(kubelet, await http.GetByteArrayAsync($"from/{upstream.Url.Authority}/amd64/kubelet"));
        Assert.Equal($"{ArtifactSite.Sha256([1, 2])}  nodeadm\n", await http.GetStringAsync("releases/v1.0.20/bin/linux/amd64/nodeadm.sha256"));
    }

    [Fact]
    public async Task What_cannot_be_warmed_for_a_profile_is_told()
    {
        await using var upstream = await UpstreamDouble.StartAsync();
        upstream.Add("debs/InRelease", Encoding.ASCII.GetBytes("<html>"));
        await using var appliance = await RunningAppliance.StartAsync(artifacts: Options(upstream, UpstreamKind.Apt) with { Files = [] });

        Assert.Contains("There is no Profile 'worker'; a path has a slash", (await appliance.RunAsync("cache", "warm", "worker")).Error, StringComparison.Ordinal);
        await ApplyAsync(appliance, "ubuntu", "24.04", null);
        Assert.Contains("fetch nothing from the cache", (await appliance.RunAsync("cache", "warm", "worker")).Error, StringComparison.Ordinal);
        await ApplyAsync(appliance, "ubuntu", "24.04", "url: cache:elsewhere/debs");
        Assert.Contains("artifacts.upstreams have no 'elsewhere'; there are up", (await appliance.RunAsync("cache", "warm", "worker")).Error, StringComparison.Ordinal);
        await ApplyAsync(appliance, "ubuntu", "24.04", "url: cache:up/debs");
        var broken = await appliance.RunAsync("cache", "warm", "worker");
        Assert.Equal(1, broken.ExitCode);
        Assert.Contains("up/debs/InRelease failed: it lists no files with SHA-256 digests", broken.Output, StringComparison.Ordinal);
        Assert.Contains("package curl is not here: Profile worker installs it, and not all archives could be read", broken.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_distributions_own_archive_has_not_is_a_failure()
    {
        await using var upstream = await UpstreamDouble.StartAsync();
        var packages = Encoding.ASCII.GetBytes(string.Concat(new[] { "curl", "openssl", "ufw" }.Select(name => $"Package: {name}\nFilename: pool/{name}.deb\n\n")));
        foreach (var name in (string[])["curl", "openssl", "ufw"])
            upstream.Add($"ubuntu/pool/{name}.deb", Encoding.ASCII.GetBytes(name));
        foreach (var pocket in (string[])["noble", "noble-updates", "noble-backports", "noble-security"])
        {
            var lists = new[] { "main", "restricted", "universe", "multiverse" }.Select(component => $"{component}/binary-amd64/Packages").ToList();
            foreach (var list in lists)
                upstream.Add($"ubuntu/dists/{pocket}/{list}", packages);
            upstream.Add($"ubuntu/dists/{pocket}/InRelease", Encoding.ASCII.GetBytes($"SHA256:\n{string.Concat(lists.Select(list => $" {ArtifactSite.Sha256(packages)} {packages.Length} {list}\n"))}"));
        }
        await using var appliance = await RunningAppliance.StartAsync(artifacts: Options(upstream, UpstreamKind.Apt));
        await ApplyAsync(appliance, "ubuntu", "24.04", null, install: "mirror: cache:up/ubuntu");

        var outcome = await appliance.RunAsync("cache", "warm", "worker");

        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("up/ubuntu/pool/curl.deb is here: 4 B", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("package app failed: Profile worker installs it, and no archive of the Profile has it", outcome.Output, StringComparison.Ordinal);
        // InRelease and four lists of four suites, three packages, the pinned file, and what is missing.
        Assert.Equal("provisioner: 1 of 25 could not be fetched.", outcome.Error.Trim());
    }

    private static ArtifactOptions Options(UpstreamDouble upstream, UpstreamKind kind)
    {
        upstream.Add("fw.bin", [7]);
        return ArtifactSite.Options(upstream, kind) with { Files = [new PinnedFile("fw.bin", new Uri(upstream.Url, "fw.bin"), ArtifactSite.Sha256([7]))] };
    }

    private static async Task ApplyAsync(RunningAppliance appliance, string distribution, string version, string? repository, string more = "", string before = "", string install = "")
    {
        var (status, body) = await appliance.ApplyAsync($$"""
            {{before}}apiVersion: provisioner/v1
            kind: Image
            metadata: {name: system}
            spec: {architecture: x86_64, distribution: {{distribution}}, version: "{{version}}", kernel: vmlinuz}
            ---
            apiVersion: provisioner/v1
            kind: Profile
            metadata: {name: worker}
            spec:
              image: system{{more.Replace(", ", "\n  ", StringComparison.Ordinal)}}
              install:
                packages: [app]
                {{install}}
                {{(repository is null ? "" : $"repositories: [{{name: site, {repository}, key: \"-----BEGIN PGP PUBLIC KEY BLOCK-----\\n\\nmDMEZ\\n=abcd\\n-----END PGP PUBLIC KEY BLOCK-----\\n\"}}]")}}
            """);
        Assert.True(status is 200 or 201, body.ToJsonString());
    }

    // An archive as reprepro and aptly make it, signed with a key of its own. Gives what 'app' needs, itself among it.
    private Dictionary<string, byte[]> PublishApt(UpstreamDouble upstream, string suite, bool byHash)
    {
        (string Name, string Version, string Fields)[] packages =
        [
            ("app", "2.0-1", "Pre-Depends: app-lib (>= 1.10)\nDepends: no-such-agent | mail-agent\nRecommends: app-docs, nowhere\n"),
            ("app-lib", "1.9-1", ""), ("app-lib", "1.10-1", ""), ("postman", "1:3.0+b~1", "Provides: mail-agent (= 1)\n"), ("app-docs", "1", ""), ("unrelated", "1", "Depends: app\n"),
        ];
        var flat = suite == "./";
        var wanted = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var index = new StringBuilder();
        foreach (var (name, version, fields) in packages)
        {
            var tree = directory[$"build/{name}-{version}"];
            Directory.CreateDirectory(Path.Combine(tree, "DEBIAN"));
            var control = $"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\n{fields}Description: a test\n";
            File.WriteAllText(Path.Combine(tree, "DEBIAN", "control"), control);
            Tool.Run("/usr/bin/dpkg-deb", "--root-owner-group", "--build", tree, directory["one.deb"]);
            var content = File.ReadAllBytes(directory["one.deb"]);
            // Without the epoch, as archives name files.
            var file = $"{name}_{version[(version.IndexOf(':', StringComparison.Ordinal) + 1)..]}_all.deb";
            var path = flat ? file : $"pool/main/{file}";
            upstream.Add($"debs/{path}", content);
            index.Append(CultureInfo.InvariantCulture, $"{control}Filename: {(flat ? "./" : "")}{path}\nSize: {content.Length}\nSHA256: {ArtifactSite.Sha256(content)}\n\n");
            if (name != "unrelated" && version != "1.9-1")
                wanted.Add($"up/debs/{path}", content);
        }
        File.WriteAllText(directory["Packages"], index.ToString());
        Tool.Run("/usr/bin/xz", "--keep", directory["Packages"]);
        Tool.Run("/usr/bin/gzip", "--keep", directory["Packages"]);
        var (root, below) = flat ? ("debs/", "") : ($"debs/dists/{suite}/", "main/binary-amd64/");
        var release = new StringBuilder($"Origin: test\nSuite: {suite.TrimEnd('/')}\nCodename: {suite.TrimEnd('/')}\nDate: {DateTimeOffset.UnixEpoch.AddYears(50):R}\nArchitectures: amd64\nComponents: main\n{(byHash ? "Acquire-By-Hash: yes\n" : "")}SHA256:\n");
        foreach (var name in (string[])["Packages", "Packages.gz", "Packages.xz"])
        {
            var content = File.ReadAllBytes(directory[name]);
            release.Append(CultureInfo.InvariantCulture, $" {ArtifactSite.Sha256(content)} {content.Length} {below}{name}\n");
            // The bare one is listed everywhere, and is nowhere.
            if (name != "Packages")
                upstream.Add(byHash ? $"{root}{below}by-hash/SHA256/{ArtifactSite.Sha256(content)}" : $"{root}{below}{name}", content);
        }
        File.WriteAllText(directory["Release"], release.ToString());
        Directory.CreateDirectory(directory["gpg"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string[] gpg = ["--homedir", directory["gpg"], "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""];
        try
        {
            Tool.Run("/usr/bin/gpg", [.. gpg, "--quick-generate-key", "archive@example.com", "ed25519", "sign", "never"]);
            Tool.Run("/usr/bin/gpg", [.. gpg, "--output", directory["InRelease"], "--clearsign", directory["Release"]]);
            Tool.Run("/usr/bin/gpg", [.. gpg, "--output", directory["key.gpg"], "--export", "archive@example.com"]);
        }
        finally
        {
            Tool.Try("/usr/bin/gpgconf", null, "--homedir", directory["gpg"], "--kill", "all");
        }
        upstream.Add(root + "InRelease", File.ReadAllBytes(directory["InRelease"]), "\"r1\"");
        return wanted;
    }

    private Dictionary<string, byte[]> PublishDnf(UpstreamDouble upstream)
    {
        (string Name, string Version, string Fields)[] packages =
        [
            ("app", "2.0", "Requires: app-lib >= 1.10\nRequires: mail(agent)\nRequires: /usr/bin/app-data\nRequires: (app-rich or nowhere)\nRecommends: app-docs\nRecommends: nowhere\n"),
            ("app-lib", "1.9", ""), ("app-lib", "1.10", ""), ("postman", "3.0", "Provides: mail(agent) = 1\n"), ("app-data", "1", ""), ("app-docs", "1", ""), ("app-rich", "1", ""), ("unrelated", "1", "Requires: app\n"),
        ];
        var wanted = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        Directory.CreateDirectory(directory["repository"]);
        foreach (var (name, version, fields) in packages)
        {
            var data = name == "app-data";
            File.WriteAllText(directory["one.spec"],
                $"Name: {name}\nVersion: {version}\nRelease: 1\nSummary: a test\nLicense: MIT\nBuildArch: noarch\n{fields}%description\na test\n%install\n{(data ? "mkdir -p %{buildroot}/usr/bin; echo x >%{buildroot}/usr/bin/app-data\n" : "")}%files\n{(data ? "/usr/bin/app-data\n" : "")}");
            Tool.Run("/usr/bin/rpmbuild", "-bb", "--quiet", "--define", $"_topdir {directory["rpmbuild"]}", "--define", $"_rpmdir {directory["repository"]}", "--define", "_rpmfilename %{NAME}-%{VERSION}.noarch.rpm", directory["one.spec"]);
            var file = $"{name}-{version}.noarch.rpm";
            if (name != "unrelated" && version != "1.9")
                wanted.Add($"up/9/x86_64/os/{file}", File.ReadAllBytes(Path.Combine(directory["repository"], file)));
        }
        Tool.Run("/usr/bin/createrepo_c", "--quiet", directory["repository"]);
        foreach (var file in Directory.EnumerateFiles(directory["repository"], "*", SearchOption.AllDirectories))
            upstream.Add($"9/x86_64/os/{Path.GetRelativePath(directory["repository"], file)}", File.ReadAllBytes(file));
        return wanted;
    }
}
