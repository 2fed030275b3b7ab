using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Join;

namespace Provisioner.Tests.Joining;

/// <summary>The lab's nodeadm: that it refuses what the real one refuses, and asks AWS and the cluster as the real one asks.</summary>
public sealed class NodeadmStandInTests
{
    [Theory]
    [InlineData("iam-ra", "ecdsa", "worker-1")]
    [InlineData("iam-ra", "rsa", "worker-1")]
    [InlineData("ssm", "ecdsa", "mi-0123456789abcdef0")]
    public async Task Installs_joins_and_becomes_ready_with_its_network(string provider, string algorithm, string node)
    {
        await using var site = await SiteAsync(algorithm);
        var run = await site.RunAsync("install", "1.34", "-p", provider, "-s", "none", "-r", CloudDouble.Region, "-m", $"file://{site.Manifest}");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal("kubelet of 1.34.2", File.ReadAllText(site.File("usr/bin/kubelet")));
        Assert.Equal("a plugin", File.ReadAllText(site.File("opt/cni/bin/loopback")));
        Assert.Equal(provider == "iam-ra", File.Exists(site.File("usr/local/bin/aws_signing_helper")));

        site.WriteConfig(provider == "ssm" ? Config(ssm: true) : Config());
        run = await site.RunAsync("config", "check", "-c", $"file://{site.Config}");
        Assert.True(run.Exit == 0, run.Said);
        run = await site.RunAsync("init", "-c", $"file://{site.Config}", "-m", $"file://{site.Manifest}");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains("kubelet", File.ReadAllText(site.File("systemctl")), StringComparison.Ordinal);
        if (provider == "iam-ra")
        {
            Assert.Contains(algorithm == "rsa" ? "POST /sessions 201 AWS4-X509-RSA-SHA256" : "POST /sessions 201 AWS4-X509-ECDSA-SHA256", site.Cloud.Asked);
            Assert.Contains("GET /clusters/prod/access-entries 200", site.Cloud.Asked);
            Assert.Contains(" --role-session-name worker-1\n", File.ReadAllText(site.File("etc/aws/hybrid/config")), StringComparison.Ordinal);
        }
        Assert.Empty(site.Cloud.Nodes);

        Assert.Equal(0, (await site.RunAsync("kubelet-stand-in", "--once")).Exit);
        var made = Assert.Single(site.Cloud.Nodes).Value;
        Assert.Equal($"eks-hybrid:///eu-west-1/prod/{node}", (string)made["spec"]!["providerID"]!);
        Assert.Equal(("hybrid", provider, "dc1"), ((string)made["metadata"]!["labels"]!["eks.amazonaws.com/compute-type"]!, (string)made["metadata"]!["labels"]!["eks.amazonaws.com/hybrid-credential-provider"]!, (string)made["metadata"]!["labels"]!["topology.kubernetes.io/zone"]!));
        Assert.Equal("NoSchedule", (string)made["spec"]!["taints"]![0]!["effect"]!);
        Assert.Equal(("v1.34.2", "10.77.0.2"), ((string)made["status"]!["nodeInfo"]!["kubeletVersion"]!, (string)made["status"]!["addresses"]![0]!["address"]!));
        Assert.Equal("False", (string)Ready(made)["status"]!);
        Assert.Contains("cni plugin not initialized", (string)Ready(made)["message"]!, StringComparison.Ordinal);

        Directory.CreateDirectory(site.File("etc/cni/net.d"));
        await File.WriteAllTextAsync(site.File("etc/cni/net.d/05-cilium.conflist"), "{}");
        Assert.Equal(0, (await site.RunAsync("kubelet-stand-in", "--once")).Exit);
        Assert.Equal("True", (string)Ready(site.Cloud.Nodes[node])["status"]!);

        run = await site.RunAsync("upgrade", "1.35", "-c", $"file://{site.Config}", "-m", $"file://{site.Manifest}");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal("kubelet of 1.35.0", File.ReadAllText(site.File("usr/bin/kubelet")));
        Assert.Equal(0, (await site.RunAsync("kubelet-stand-in", "--once")).Exit);
        Assert.Equal("v1.35.0", (string)site.Cloud.Nodes[node]["status"]!["nodeInfo"]!["kubeletVersion"]!);

        Assert.Equal(0, (await site.RunAsync("uninstall")).Exit);
        Assert.False(File.Exists(site.File("usr/bin/kubelet")) || File.Exists(site.File("opt/nodeadm/tracker")));
    }

    [Theory]
    [InlineData("  hybrid:\n    region: eu-west-1\n", "unknown field \"spec.hybrid.region\"")]
    [InlineData("  featureGates: {}\n", "unknown field \"spec.featureGates\"")]
    [InlineData("  hybrid:\n    ssm: {activationCode: aCodeOfTwentyLetters, activationId: 00000000-0000-4000-8000-000000000000}\n    iamRolesAnywhere: {nodeName: a, trustAnchorArn: b, profileArn: c, roleArn: d}\n", "Exactly one of")]
    [InlineData("  hybrid: {}\n", "Exactly one of")]
    [InlineData("  hybrid:\n    ssm: {activationCode: short, activationId: 00000000-0000-4000-8000-000000000000}\n", "ActivationCode is missing or malformed")]
    [InlineData("  hybrid:\n    iamRolesAnywhere: {nodeName: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, trustAnchorArn: b, profileArn: c, roleArn: d}\n", "longer than 64")]
    [InlineData("  hybrid:\n    iamRolesAnywhere: {nodeName: a, trustAnchorArn: b, profileArn: c}\n", "RoleArn is missing")]
    [InlineData("  hybrid:\n    iamRolesAnywhere: {nodeName: a, trustAnchorArn: b, profileArn: c, roleArn: d, privateKeyPath: /nowhere}\n", "private key")]
    [InlineData("  hybrid:\n    iamRolesAnywhere: {nodeName: a, trustAnchorArn: b, profileArn: c, roleArn: d}\n  kubelet:\n    flags: [--hostname-override=other]\n", "hostname-override")]
    public async Task A_NodeConfig_that_nodeadm_refuses(string rest, string said)
    {
        await using var site = await SiteAsync("ecdsa");
        site.WriteConfig("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster: {name: prod, region: eu-west-1}\n" + rest);

        var run = await site.RunAsync("config", "check", "-c", $"file://{site.Config}");

        Assert.True(run.Exit == 1 && run.Said.Contains(said.Replace("\"", "\\\"", StringComparison.Ordinal), StringComparison.Ordinal), run.Said);
    }

    [Theory]
    [InlineData(-20, -1, "certificate has expired")]
    [InlineData(1, 20, "certificate is not yet valid")]
    public async Task A_certificate_out_of_its_time(double begin, double end, string said)
    {
        await using var site = await SiteAsync("ecdsa", begin, end);
        site.WriteConfig(Config());

        var run = await site.RunAsync("config", "check", "-c", $"file://{site.Config}");

        Assert.True(run.Exit == 1 && run.Said.Contains(said, StringComparison.Ordinal), run.Said);
    }

    [Fact]
    public async Task What_install_and_init_refuse()
    {
        await using var site = await SiteAsync("ecdsa");
        async Task RefusedAsync(string said, params string[] arguments)
        {
            var run = await site.RunAsync(arguments);
            Assert.True(run.Exit == 1 && run.Said.Contains(said, StringComparison.Ordinal), run.Said);
        }

        string[] install = ["install", "1.34", "-p", "iam-ra", "-s", "none", "-r", "eu-west-1", "-m"];
        await RefusedAsync("failed to read manifest", [.. install, "http://127.0.0.1/manifest.yaml"]);
        await RefusedAsync("unknown flag --no-such", [.. install, site.Manifest, "--no-such"]);
        await RefusedAsync("did not match with any available releases", ["install", "1.29", .. install[2..], site.Manifest]);
        await RefusedAsync("region mars-1 is not in the manifest", "install", "1.34", "-p", "iam-ra", "-r", "mars-1", "-s", "none", "-m", site.Manifest);
        await RefusedAsync("nodeadm is not installed", "init", "-c", $"file://{site.Config}");
        var sum = site.Cloud.Artifacts["kubelet-1.34.2.sha256"];
        site.Cloud.Artifacts["kubelet-1.34.2.sha256"] = Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(sum).Split(' ')[0]);
        await RefusedAsync("is not in the GNU form", [.. install, site.Manifest]);
        site.Cloud.Artifacts["kubelet-1.34.2.sha256"] = Encoding.ASCII.GetBytes($"{new string('0', 64)}  kubelet\n");
        await RefusedAsync("checksum mismatch", [.. install, site.Manifest]);
        site.Cloud.Artifacts["kubelet-1.34.2.sha256"] = sum;
        Assert.Equal(0, (await site.RunAsync([.. install, site.Manifest])).Exit);

        site.WriteConfig(Config());
        string[] init = ["init", "-c", $"file://{site.Config}", "-m", site.Manifest];
        await File.WriteAllTextAsync(site.File("proc/swaps"), "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2\n");
        await RefusedAsync("swap partition /dev/sda2 is in use", init);
        await File.WriteAllTextAsync(site.File("proc/swaps"), "Filename\tType\tSize\tUsed\tPriority\n");
        site.Cloud.ClusterStatus = "UPDATING";
        await RefusedAsync("eks cluster is not active: UPDATING", init);
        site.Cloud.ClusterStatus = "ACTIVE";
        site.Cloud.NodeNetwork = "10.60.0.0/16";
        await RefusedAsync("node IP 10.77.0.2 is not in any of the remote network CIDR blocks", init);
        site.Cloud.NodeNetwork = "10.77.0.0/16";
        site.WriteConfig(Config().Replace("nodeName: worker-1", "nodeName: worker-2", StringComparison.Ordinal));
        await RefusedAsync("session name worker-2 is not the certificate's", init);
    }

    private static JsonNode Ready(JsonNode node) => node["status"]!["conditions"]!.AsArray().Single(condition => (string)condition!["type"]! == "Ready")!;

    private static string Config(bool ssm = false) => $"""
        apiVersion: node.eks.aws/v1alpha1
        kind: NodeConfig
        spec:
          cluster: {"{"} name: prod, region: eu-west-1 {"}"}
          hybrid:
        {(ssm
            ? "    ssm:\n      activationCode: aCodeOfTwentyLetters\n      activationId: 00000000-0000-4000-8000-000000000000"
            : $"    iamRolesAnywhere:\n      nodeName: worker-1\n      trustAnchorArn: arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a\n      profileArn: \"arn:aws:rolesanywhere:eu-west-1:111122223333:profile/b c\"\n      roleArn: {CloudDouble.Role}")}
          kubelet:
            flags:
            - --node-ip=10.77.0.2
            - "--node-labels=topology.kubernetes.io/zone=dc1,rack=a"
            - --register-with-taints=lab=yes:NoSchedule

        """.ReplaceLineEndings("\n");

    private static async Task<Site> SiteAsync(string algorithm, double begin = -0.01, double end = 90)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "nodeadm needs root");
        var authority = Authority.Root("Provisioner 1");
        return new Site(await CloudDouble.StartAsync(authority), authority, algorithm, begin, end);
    }

    private sealed class Site : IAsyncDisposable
    {
        private readonly TemporaryDirectory directory = new();

        public Site(CloudDouble cloud, Authority authority, string algorithm, double begin, double end)
        {
            Cloud = cloud;
            foreach (var folder in (string[])["etc/iam/pki", "etc/eks", "proc", "bin"])
                Directory.CreateDirectory(File(folder));
            using (AsymmetricAlgorithm key = algorithm == "rsa" ? RSA.Create(2048) : ECDsa.Create(ECCurve.NamedCurves.nistP256))
            {
                using var certificate = authority.IssueHost(key is RSA rsa ? new PublicKey(rsa) : new PublicKey((ECDsa)key), begin: begin, end: end);
                System.IO.File.WriteAllText(File("etc/iam/pki/server.pem"), certificate.ExportCertificatePem());
                System.IO.File.WriteAllText(File("etc/iam/pki/server.key"), key.ExportPkcs8PrivateKeyPem());
            }
            System.IO.File.WriteAllText(File("trusted.pem"), authority.Certificate.ExportCertificatePem() + "\n");
            System.IO.File.WriteAllText(File("proc/swaps"), "Filename\tType\tSize\tUsed\tPriority\n");
            AddProgram("systemctl", $"#!/bin/sh\necho \"$*\" >>'{File("systemctl")}'\ncase $* in *firewalld*) exit 3 ;; esac\n");
            AddProgram("ufw", "#!/bin/sh\necho Status: inactive\n");
            var architecture = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64";
            var manifest = new StringBuilder("supported_eks_releases:\n");
            foreach (var (minor, patch) in ((string, string)[])[("1.34", "1.34.2"), ("1.35", "1.35.0")])
            {
                manifest.Append($"- major_minor_version: \"{minor}\"\n  patch_releases:\n  - version: {patch}\n    release_date: \"2026-01-15\"\n    artifacts:\n");
                foreach (var name in (string[])["kubelet", "kubectl", "cni-plugins", "ecr-credential-provider", "aws-iam-authenticator"])
                {
                    Offer($"{name}-{patch}", name == "cni-plugins" ? Plugins() : Encoding.ASCII.GetBytes($"{name} of {patch}"));
                    manifest.Append($"    - {{name: {name}, arch: {architecture}, os: linux, uri: \"{cloud.Address}/{name}-{patch}\", checksum_uri: \"{cloud.Address}/{name}-{patch}.sha256\"}}\n");
                }
            }
            Offer("helper", "a helper"u8.ToArray());
            manifest.Append($"iam_roles_anywhere_releases:\n- version: 1.8.0\n  artifacts:\n  - name: aws_signing_helper\n    arch: {architecture}\n    os: linux\n    uri: {cloud.Address}/helper\n    checksum_uri: {cloud.Address}/helper.sha256\n"
                + "ssm_releases: []\nregion_config:\n  eu-west-1: {ecr_account_id: \"602401143452\", partition: aws, cred_providers: {iam-ra: true, ssm: true}}\n");
            System.IO.File.WriteAllText(Manifest, manifest.ToString());
        }

        public CloudDouble Cloud { get; }

        public string Manifest => File("manifest.yaml");

        public string Config => File("etc/eks/nodeconfig.yaml");

        public string File(string name) => directory[name];

        public void WriteConfig(string text) => System.IO.File.WriteAllText(Config, text);

        public Task<Run> RunAsync(params string[] arguments)
        {
            var program = Path.GetFullPath(Path.Combine(JoinHost.TemplateFile(""), "..", "..", "tests", "Provisioner.Lab", "nodeadm", "nodeadm"));
            var start = new ProcessStartInfo(JoinHost.Require("python3"), [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
            start.Environment["NODEADM_ROOT"] = directory.Path;
            start.Environment["NODEADM_PROC"] = File("proc");
            start.Environment["AWS_ENDPOINT_URL"] = Cloud.Address;
            start.Environment["SSL_CERT_FILE"] = File("trusted.pem");
            start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
            start.Environment["PATH"] = $"{File("bin")}:{Environment.GetEnvironmentVariable("PATH")}";
            foreach (var name in (string[])["http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_DIR"])
                start.Environment.Remove(name);
            return JoinHost.EndAsync(Process.Start(start)!);
        }

        public async ValueTask DisposeAsync()
        {
            await Cloud.DisposeAsync();
            directory.Dispose();
        }

        private void AddProgram(string name, string text)
        {
            System.IO.File.WriteAllText(File("bin/" + name), text);
            System.IO.File.SetUnixFileMode(File("bin/" + name), (UnixFileMode)0b111_101_101);
        }

        private void Offer(string name, byte[] content)
        {
            Cloud.Artifacts[name] = content;
            Cloud.Artifacts[name + ".sha256"] = Encoding.ASCII.GetBytes($"{Convert.ToHexStringLower(SHA256.HashData(content))}  {name}\n");
        }

        private static byte[] Plugins()
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            using (var tar = new TarWriter(gzip))
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "./loopback") { DataStream = new MemoryStream("a plugin"u8.ToArray()) });
            return packed.ToArray();
        }
    }
}
