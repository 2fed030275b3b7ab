using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Artifacts;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;
using static Provisioner.Tests.Artifacts.ArtifactSite;

namespace Provisioner.Tests.Artifacts;

/// <summary>nodeadm and its manifest by way of the appliance: what <c>nodeadm install --manifest-override</c> would do with them.</summary>
public sealed class NodeadmTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private readonly byte[] kubelet = RandomNumberGenerator.GetBytes(500_000);
    private readonly byte[] nodeadm = RandomNumberGenerator.GetBytes(200_000);
    private UpstreamDouble upstream = null!;

    public async ValueTask InitializeAsync()
    {
        upstream = await UpstreamDouble.StartAsync();
        upstream.Add("manifest.yaml", Encoding.UTF8.GetBytes(Manifest(upstream.Url.AbsoluteUri)), "\"m1\"");
        upstream.Add("1.34.2/2026-01-15/bin/linux/amd64/kubelet", kubelet);
        upstream.Add("1.34.2/2026-01-15/bin/linux/amd64/kubelet.sha256", Encoding.ASCII.GetBytes(Sha256(kubelet) + "\n"));
        upstream.Add("helper/1.8.0/aws_signing_helper", [1, 2, 3]);
        upstream.Add("helper/1.8.0/aws_signing_helper.sha256", Encoding.ASCII.GetBytes($"{Sha256([1, 2, 3])}  _bin/aws_signing_helper\n"));
        Publish(nodeadm);
    }

    public async ValueTask DisposeAsync()
    {
        await upstream.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public void The_manifest_is_served_with_its_addresses_turned_to_the_appliance()
    {
        Assert.True(NodeadmManifest.TryParse(Encoding.UTF8.GetBytes(Manifest("https://assets.example.com/")), false, out var manifest, out _));
        Golden.Match(manifest.Rewrite("http://10.77.0.1:8080/artifacts/nodeadm/"), "manifest");
    }

    [Theory]
    [InlineData("supported_eks_releases: [", "not understood")]
    [InlineData("a: 1", "supported_eks_releases")]
    [InlineData("", "supported_eks_releases")]
    [InlineData("\u00ff\u00fe", "UTF-8")]
    public void What_is_no_manifest_is_told(string text, string why)
    {
        Assert.False(NodeadmManifest.TryParse(Encoding.Latin1.GetBytes(text), false, out _, out var reason));
        Assert.Contains(why, reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.34", "amd64", "1.34.2/2026-01-15/bin/linux/amd64/kubelet,helper/1.8.0/aws_signing_helper")]
    [InlineData("1.34.1", "amd64", "1.34.1/2025-11-01/bin/linux/amd64/kubelet,helper/1.8.0/aws_signing_helper")]
    [InlineData("1.34", "arm64", "1.34.2/2026-01-15/bin/linux/arm64/kubelet")]
    public void Selects_what_nodeadm_would(string version, string architecture, string expected)
    {
        Assert.True(NodeadmManifest.TryParse(Encoding.UTF8.GetBytes(Manifest("https://assets.example.com/")), false, out var manifest, out _));
        Assert.True(manifest.TrySelect(version, [architecture], out var files, out _));
        Assert.Equal(expected.Split(','), files.Select(f => f.Url.AbsolutePath[1..]));
    }

    [Theory]
    [InlineData("1.33", "no Kubernetes 1.33; it has 1.34")]
    [InlineData("1.34.9", "no Kubernetes 1.34.9")]
    [InlineData("latest", "no Kubernetes latest")]
    public void Says_which_version_it_has_not(string version, string why)
    {
        Assert.True(NodeadmManifest.TryParse(Encoding.UTF8.GetBytes(Manifest("https://assets.example.com/")), false, out var manifest, out _));
        Assert.False(manifest.TrySelect(version, ["amd64"], out _, out var reason));
        Assert.Contains(why, reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_finds_everything_by_the_manifest_and_its_checksums_hold()
    {
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Nodeadm), directory.Path);

        var manifest = await site.Http.GetStringAsync("up/manifest.yaml");
        var uri = Addresses(manifest, "uri").Single(u => u.Contains("2026-01-15", StringComparison.Ordinal) && u.EndsWith("amd64/kubelet", StringComparison.Ordinal));
        var checksum = Addresses(manifest, "checksum_uri").Single(u => u == uri + ".sha256");

        Assert.StartsWith($"http://127.0.0.1:{site.Port}/artifacts/up/from/127.0.0.1", uri, StringComparison.Ordinal);
        Assert.Equal($"{Sha256(kubelet)}  kubelet\n", await site.Http.GetStringAsync(checksum));
        Assert.Equal(kubelet, await site.Http.GetByteArrayAsync(uri));
        Assert.Equal($"{Sha256(kubelet)}  kubelet\n", await site.Http.GetStringAsync(checksum));
        Assert.DoesNotContain("gzip_uri", manifest, StringComparison.Ordinal);
        Assert.Equal("the upstream's checksum file", site.Store.All().Single(a => a.Artifact.Path.EndsWith("kubelet", StringComparison.Ordinal)).Artifact.VerifiedBy);
    }

    [Fact]
    public async Task The_manifest_names_the_address_the_host_asked_at()
    {
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Nodeadm), directory.Path);
        var asked = new HttpRequestMessage(HttpMethod.Get, "up/manifest.yaml");
        asked.Headers.Host = "appliance.example:8080";
        var forged = new HttpRequestMessage(HttpMethod.Get, "up/manifest.yaml");
        forged.Headers.Host = "a_b:1";

        Assert.All(Addresses(await (await site.Http.SendAsync(asked)).Content.ReadAsStringAsync(), "uri").Take(2),
            u => Assert.StartsWith("http://appliance.example:8080/artifacts/up/from/", u, StringComparison.Ordinal));
        Assert.All(Addresses(await (await site.Http.SendAsync(forged)).Content.ReadAsStringAsync(), "uri").Take(2),
            u => Assert.StartsWith($"http://127.0.0.1:{site.Port}/", u, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_manifest_does_not_list_is_not_fetched()
    {
        upstream.Add("other", [1]);
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Nodeadm), directory.Path);

        Assert.Equal(HttpStatusCode.NotFound, (await site.AskAsync($"up/from/{upstream.Url.Authority}/other")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await site.AskAsync("up/from/169.254.169.254/latest/meta-data")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await site.AskAsync("up/other")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await site.AskAsync("up/releases/latest/bin/linux/s390x/nodeadm")).Status);
        Assert.Equal(0, upstream.RequestsFor("other"));
    }

    [Fact]
    public async Task A_file_that_its_checksum_does_not_fit_is_never_whole()
    {
        upstream.Add("1.34.2/2026-01-15/bin/linux/amd64/kubelet.sha256", Encoding.ASCII.GetBytes($"{new string('0', 64)}  kubelet\n"));
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Nodeadm), directory.Path);

        var (status, body, broke) = await ArtifactHttpTests.RawAsync(site.Port, $"/artifacts/up/from/{upstream.Url.Authority}/1.34.2/2026-01-15/bin/linux/amd64/kubelet");

        Assert.True(broke || status == 502);
        Assert.True(body.Length < kubelet.Length);
        Assert.DoesNotContain(site.Store.All(), a => a.Artifact.Path.EndsWith("kubelet", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Latest_nodeadm_and_its_checksum_change_together()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Nodeadm), directory.Path, time);
        const string Path = "up/releases/latest/bin/linux/amd64/nodeadm";

        Assert.Equal($"{Sha256(nodeadm)}  nodeadm\n", await site.Http.GetStringAsync(Path + ".sha256"));
        Assert.Equal(nodeadm, await site.Http.GetByteArrayAsync(Path));

        var newer = RandomNumberGenerator.GetBytes(210_000);
        Publish(newer);
        Assert.Equal(nodeadm, await site.Http.GetByteArrayAsync(Path));
        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal($"{Sha256(newer)}  nodeadm\n", await site.Http.GetStringAsync(Path + ".sha256"));
        Assert.Equal(newer, await site.Http.GetByteArrayAsync(Path));

        var before = upstream.RequestsFor("releases/latest/bin/linux/amd64/nodeadm");
        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(newer, await site.Http.GetByteArrayAsync(Path));
        Assert.Equal(before, upstream.RequestsFor("releases/latest/bin/linux/amd64/nodeadm"));
    }

    [Fact]
    public async Task Warmed_it_needs_no_upstream()
    {
        var options = Options(upstream, UpstreamKind.Nodeadm);
        await using (var online = await StartAsync(options, directory.Path))
        {
            var warming = new ArtifactWarming(online.Cache, online.Catalogue, new CurrentState(), TimeProvider.System);
            var plan = await warming.PlanAsync(new WarmRequest { Upstream = "up", Nodeadm = "latest", Kubernetes = "1.34", Architectures = ["amd64"] }, TestContext.Current.CancellationToken);
            Assert.Equal(3, plan.Paths.Count);
            var last = new Dictionary<string, WarmStep>(StringComparer.Ordinal);
            await foreach (var step in warming.RunAsync(plan, TestContext.Current.CancellationToken))
                last[step.Path] = step;
            Assert.All(last.Values, step => Assert.True(step.State == WarmState.Ready, $"{step.Path}: {step.Reason}"));
        }
        await upstream.DisposeAsync();
        await using var site = await StartAsync(options with { Offline = true }, directory.Path);

        var manifest = await site.Http.GetStringAsync("up/manifest.yaml");
        foreach (var uri in Addresses(manifest, "uri").Where(u => u.Contains("2026-01-15", StringComparison.Ordinal) && u.EndsWith("amd64/kubelet", StringComparison.Ordinal) || u.Contains("1.8.0", StringComparison.Ordinal)))
        {
            var content = await site.Http.GetByteArrayAsync(uri);
            Assert.Equal($"{Sha256(content)}  {uri[(uri.LastIndexOf('/') + 1)..]}\n", await site.Http.GetStringAsync(uri + ".sha256"));
        }
        Assert.Equal(nodeadm, await site.Http.GetByteArrayAsync("up/releases/latest/bin/linux/amd64/nodeadm"));
    }

    private void Publish(byte[] content)
    {
        upstream.Add("releases/latest/bin/linux/amd64/nodeadm", content, $"\"{Sha256(content)[..8]}\"");
        upstream.Add("releases/latest/bin/linux/amd64/nodeadm.sha256", Encoding.ASCII.GetBytes(Sha256(content)), $"\"s{Sha256(content)[..8]}\"");
    }

    private static IEnumerable<string> Addresses(string manifest, string key) =>
        manifest.Split('\n').Select(line => line.TrimStart(' ', '-')).Where(line => line.StartsWith(key + ": ", StringComparison.Ordinal)).Select(line => line[(key.Length + 2)..].Trim('"'));

    private static string Manifest(string at) => $$"""
        iam_roles_anywhere_releases:
        - artifacts:
          - {arch: amd64, name: aws_signing_helper, os: linux, uri: "{{at}}helper/1.7.10/aws_signing_helper", checksum_uri: "{{at}}helper/1.7.10/aws_signing_helper.sha256"}
          version: 1.7.10
        - artifacts:
          - {arch: amd64, name: aws_signing_helper, os: linux, uri: "{{at}}helper/1.8.0/aws_signing_helper", checksum_uri: "{{at}}helper/1.8.0/aws_signing_helper.sha256"}
          version: 1.8.0
        partition_config:
          aws: "amazonaws.com"
        region_config:
          eu-west-1:
            cred_providers:
              iam-ra: true
              ssm: true
            ecr_account_id: "602401143452"
        ssm_releases: null
        supported_eks_releases:
        - latest_patch_version: "2"
          major_minor_version: "1.34"
          patch_releases:
          - artifacts:
            - arch: amd64
              checksum_uri: {{at}}1.34.1/2025-11-01/bin/linux/amd64/kubelet.sha256
              name: kubelet
              os: linux
              uri: {{at}}1.34.1/2025-11-01/bin/linux/amd64/kubelet
            patch_version: "1"
            release_date: "2025-11-01"
            version: 1.34.1
          - artifacts:
            - arch: amd64
              checksum_uri: {{at}}1.34.2/2025-12-01/bin/linux/amd64/kubelet.sha256
              name: kubelet
              os: linux
              uri: {{at}}1.34.2/2025-12-01/bin/linux/amd64/kubelet
            patch_version: "2"
            release_date: "2025-12-01"
            version: 1.34.2
          - artifacts:
            - arch: amd64
              checksum_uri: {{at}}1.34.2/2026-01-15/bin/linux/amd64/kubelet.sha256
              gzip_uri: {{at}}1.34.2/2026-01-15/bin/linux/amd64/kubelet.gz
              name: kubelet
              os: linux
              uri: {{at}}1.34.2/2026-01-15/bin/linux/amd64/kubelet
            - arch: arm64
              checksum_uri: {{at}}1.34.2/2026-01-15/bin/linux/arm64/kubelet.sha256
              name: kubelet
              os: linux
              uri: {{at}}1.34.2/2026-01-15/bin/linux/arm64/kubelet
            - arch: amd64
              name: without-checksum
              os: linux
              uri: {{at}}1.34.2/2026-01-15/bin/linux/amd64/without-checksum
            patch_version: "2"
            release_date: "2026-01-15"
            version: 1.34.2

        """;
}
