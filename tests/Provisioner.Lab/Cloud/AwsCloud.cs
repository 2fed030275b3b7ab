using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Provisioner.AwsDoubles;
using Provisioner.Lab.Harness;
using Provisioner.Lab.Peers;

namespace Provisioner.Lab.Cloud;

/// <summary>
/// AWS as a site sees it, on the lab's LAN and under AWS's own names: the services by a double that verifies what AWS verifies, the place that
/// nodeadm is downloaded from, a name server that knows both, and a cluster with an API. Nothing in the appliance or on a host is told
/// that this is not the real one; only the authority behind its certificates is the lab's.
/// </summary>
internal sealed class AwsCloud : IAsyncDisposable
{
    /// <summary>Its name server and AWS's services.</summary>
    public const string Address = "10.77.0.250";

    /// <summary>Its cluster, in EKS and here.</summary>
    public const string Cluster = "prod";

    private const string ApiAddress = "10.77.0.251";
    private const string DownloadsAddress = "10.77.0.252";
    private const string ApiName = "0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com";

    /// <summary>A script that leaves on a node what a network plugin's agent leaves there.</summary>
    public const string NetworkPlugin = "mkdir -p /etc/cni/net.d && echo '{}' >/etc/cni/net.d/05-cilium.conflist";

    /// <summary>What a site writes into its Network,: its hosts ask this name server.</summary>
    public const string NetworkSpec = SiteResources.Reserve + "\n  dns: [" + Address + "]";

    private readonly NetworkNamespace on;
    private readonly string directory;
    private readonly List<WebApplication> servers = [];
    private DoubleKeys? administrator;

    private AwsCloud(NetworkNamespace on, string directory, AwsDouble aws)
    {
        this.on = on;
        this.directory = directory;
        Aws = aws;
    }

    /// <summary>Where it all is.</summary>
    public NetworkNamespace On => on;

    /// <summary>A directory of its own, for files.</summary>
    public string Directory
    {
        get
        {
            System.IO.Directory.CreateDirectory(directory);
            return directory;
        }
    }

    /// <summary>The services, to look at and to spoil.</summary>
    public AwsDouble Aws { get; }

    /// <summary>Whom everybody here trusts for AWS's names.</summary>
    public required CloudAuthority Authority { get; init; }

    /// <summary>The cluster's API, when it is a real one.</summary>
    public ApiServer? Api { get; private set; }

    /// <summary>Joins it to that LAN, and has the appliance's namespace ask its name server.</summary>
    /// <param name="network">The site's.</param>
    /// <param name="isApiReal">A real kube-apiserver, or a small double that is there at once.</param>
    public static async Task<AwsCloud> CreateAsync(LabNetwork network, bool isApiReal)
    {
        var at = await network.AddPeerAsync("cloud", Address + "/24");
        foreach (var more in (string[])[ApiAddress, DownloadsAddress])
            await at.IpAsync("address", "add", more + "/24", "dev", "eth0");
        var authority = new CloudAuthority("The lab's public authority");
        // A wildcard is of one label (RFC 6125 section 6.4.3).
        var services = authority.Issue("*.eu-west-1.amazonaws.com", "*.amazonaws.com", "*.ecr.eu-west-1.amazonaws.com", "*.dkr.ecr.eu-west-1.amazonaws.com", "*.s3.eu-west-1.amazonaws.com");
        var aws = await AwsDouble.StartAsync(listen: new IPEndPoint(IPAddress.Parse(Address), 443), https: services, bind: to => at.Bind((IPEndPoint)to));
        var cloud = new AwsCloud(at, Path.Combine(network.Directory, "cloud"), aws) { Authority = authority };
        try
        {
            await Dnsmasq.StartNameServerAsync(at, Address, ("amazonaws.com", Address), (NodeadmReleases.Host, DownloadsAddress), (ApiName, ApiAddress));
            await network.Appliance.UseNameServerAsync(Address);
            var files = NodeadmReleases.Files();
            cloud.servers.Add(await CloudServer.StartAsync(at, new IPEndPoint(IPAddress.Parse(DownloadsAddress), 443), authority.Issue(NodeadmReleases.Host), context => ServeAsync(files, context)));
            await cloud.StartApiAsync(isApiReal);
            return cloud;
        }
        catch
        {
            await cloud.DisposeAsync();
            throw;
        }
    }

    /// <summary>How the service is run with an administrator's keys, as for the first set-up.</summary>
    public ServiceSettings FirstSettings()
    {
        administrator ??= Aws.Account.Administrator();
        return Settings("first.yaml", "aws: { credentials: default }", new()
        {
            ["AWS_ACCESS_KEY_ID"] = administrator.AccessKeyId,
            ["AWS_SECRET_ACCESS_KEY"] = administrator.SecretAccessKey,
        });
    }

    /// <summary>How it is run from then on, by what <c>aws apply</c> says at its end.</summary>
    public ServiceSettings LastingSettings(string applied)
    {
        var first = applied.IndexOf("aws: {", StringComparison.Ordinal);
        return first < 0
            ? throw new LabException($"'aws apply' said nothing for the configuration:\n{applied}")
            : Settings("lasting.yaml", applied[first..(applied.IndexOf('}', first) + 1)], []);
    }

    /// <summary>The cluster as an administrator registers it.</summary>
    public static string ClusterResource { get; } = $"""
        ---
        apiVersion: provisioner/v1
        kind: Cluster
        metadata:
          name: {Cluster}
        spec:
          region: {NodeadmReleases.Region}
          kubernetesVersion: "1.34"
          endpointAccess: private
          cni: cilium
          remoteNodeNetworks: [10.77.0.0/24]
          remotePodNetworks: [10.85.0.0/16]

        """;

    /// <summary>How its nodes are built: the image in memory, a label and a taint of their own.</summary>
    /// <param name="firmware">What they start with.</param>
    /// <param name="image">Its name.</param>
    /// <param name="name">The profile's.</param>
    /// <param name="provider">How they prove to AWS who they are.</param>
    public static string ProfileResource(Firmware firmware, string image, string name = "worker", string provider = "iam-ra") => SiteResources.Profile(firmware, image, name).TrimEnd() + $$"""

          cluster: {{Cluster}}
          node:
            credentialProvider: {{provider}}
            labels: { example.com/pool: lab }
            taints: [{ key: example.com/dedicated, value: lab, effect: NoSchedule }]
          install:
            diskless: true
            # The image has no other, and generates none.
            locale: C.UTF-8

        """;

    /// <summary>
    /// What a host of the lab has beside the image: the lab's authority, and stand-ins for containerd and runc, which the image has not.
    /// Its disk is memory, of which there is less than a real host must have: that one finding is waved through, as an administrator would do it.
    /// </summary>
    public async Task<DisklessOverlay> OverlayAsync()
    {
        var overlay = new DisklessOverlay()
            .AddProgram("/usr/bin/containerd", "#!/bin/sh\nexec sleep infinity\n")
            .AddUnit("containerd.service", "[Service]\nExecStart=/usr/bin/containerd\n")
            .AddFile("/etc/systemd/system/provisioner-join.service.d/memory.conf", "[Service]\nExecStart=\nExecStart=/usr/local/sbin/provisioner-join run --ignore disk\n");
        foreach (var program in (string[])["runc", "iptables", "conntrack"])
            overlay.AddProgram("/usr/bin/" + program, "#!/bin/sh\n");
        await Authority.TrustOnAsync(overlay);
        return overlay;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in servers)
        {
            await server.StopAsync();
            await server.DisposeAsync();
        }
        Api?.Dispose();
        await Aws.DisposeAsync();
        Authority.Dispose();
    }

    private ServiceSettings Settings(string name, string aws, Dictionary<string, string> environment)
    {
        System.IO.Directory.CreateDirectory(directory);
        var trusted = Path.Combine(directory, "trusted.pem");
        File.WriteAllText(trusted, Authority.Pem);
        var file = Path.Combine(directory, name);
        // The place of downloads is on a private network here, which the appliance does not take for its built-in one.
        File.WriteAllText(file, $"""
            {aws}
            artifacts:
              upstreams:
              - {"{"} name: nodeadm, url: "https://{NodeadmReleases.Host}/", kind: nodeadm, privateAddresses: true {"}"}

            """);
        return new ServiceSettings(file, new Dictionary<string, string>(environment, StringComparer.Ordinal) { ["SSL_CERT_FILE"] = trusted, ["SSL_CERT_DIR"] = "/nonexistent" });
    }

    private async Task StartApiAsync(bool isReal)
    {
        var address = new IPEndPoint(IPAddress.Parse(ApiAddress), 443);
        string authority;
        if (isReal)
        {
            var webhook = new IPEndPoint(IPAddress.Loopback, 9080);
            servers.Add(await CloudServer.StartAsync(on, webhook, null, ReviewAsync));
            System.IO.Directory.CreateDirectory(directory);
            Api = await ApiServer.StartAsync(on, Path.Combine(directory, "api"), address, ApiName, new Uri($"http://{webhook}/"));
            authority = Api.Authority.ExportCertificatePem() + "\n";
        }
        else
        {
            // The cluster's own, which nobody trusts who was not told.
            using var own = new CloudAuthority("kubernetes");
            servers.Add(await CloudServer.StartAsync(on, address, own.Issue(ApiName), new ClusterDouble(token => Aws.VerifyToken(token, Cluster)).AnswerAsync));
            authority = own.Pem;
        }
        var cluster = Aws.Account.AddCluster(Cluster, authority);
        cluster.Endpoint = "https://" + ApiName;
    }

    /// <summary>The authenticator beside a cluster's API (authentication.k8s.io TokenReview).</summary>
    private async Task ReviewAsync(HttpContext context)
    {
        var review = (await JsonNode.ParseAsync(context.Request.Body))!;
        var answer = new JsonObject { ["apiVersion"] = review["apiVersion"]!.DeepClone(), ["kind"] = "TokenReview" };
        try
        {
            var who = Aws.VerifyToken(review["spec"]!["token"]!.GetValue<string>(), Cluster);
            answer["status"] = new JsonObject
            {
                ["authenticated"] = true,
                ["user"] = new JsonObject { ["username"] = who.Username, ["uid"] = who.RoleArn, ["groups"] = new JsonArray([.. who.Groups.Select(g => (JsonNode)g)]) },
            };
        }
        catch (AwsRefusal refused)
        {
            answer["status"] = new JsonObject { ["authenticated"] = false, ["error"] = refused.Message };
        }
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(answer.ToJsonString());
    }

    private static async Task ServeAsync(Dictionary<string, byte[]> files, HttpContext context)
    {
        if (!files.TryGetValue(context.Request.Path.Value!, out var file))
        {
            context.Response.StatusCode = 404;
            return;
        }
        context.Response.ContentLength = file.Length;
        await context.Response.Body.WriteAsync(file);
    }
}
