using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Clusters;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Kubernetes;

/// <summary>A real kube-apiserver with a real etcd on loopback, with tokens and RBAC. Nothing else of a cluster: the tests are its kubelets and controllers.</summary>
internal sealed class KubeApi : IAsyncDisposable
{
    public const string ApplianceToken = "appliance-token";

    private const string AdminToken = "admin-token";

    /// <summary>Set by test.sh once it has installed everything: what is missing then is a failure and not a reason to skip.</summary>
    private const string RequiredVariable = "PROVISIONER_KUBERNETES_REQUIRED";

    private readonly TemporaryDirectory directory = new();
    private readonly X509Certificate2 authority;
    private readonly HttpClient admin;
    private readonly int etcdPort = FreePort();
    private readonly int etcdPeerPort = FreePort();
    private readonly int port = FreePort();
    private readonly string[] more;
    private Process? etcd;
    private Process? server;

    private KubeApi(string[] more)
    {
        this.more = more;
        authority = MakeCertificates();
        admin = Client(AdminToken);
    }

    public Uri Endpoint => new($"https://127.0.0.1:{port}/");

    public X509Certificate2Collection Authorities => [authority];

    public static string Program { get; } = Path.Combine(Repository(), ".cache", "kubernetes", "kube-apiserver");

    /// <summary>Skips the running test where there is none, unless it has to be there.</summary>
    public static void SkipWithout()
    {
        var missing = !File.Exists(Program) ? $"there is no {Program}" : Etcd is null ? "etcd is not installed (package etcd-server)" : null;
        if (missing is null)
            return;
        if (Environment.GetEnvironmentVariable(RequiredVariable) is { Length: > 0 })
            Assert.Fail($"A Kubernetes API server must run here, and cannot: {missing}");
        Assert.Skip($"{missing}; '.ci/install kubernetes' builds and installs what this needs");
    }

    /// <param name="more">More arguments of kube-apiserver.</param>
    public static async Task<KubeApi> StartAsync(params string[] more)
    {
        SkipWithout();
        var api = new KubeApi(more);
        try
        {
            await api.StartEtcdAsync();
            await api.StartServerAsync();
            await api.AllowAsync();
            return api;
        }
        catch
        {
            await api.DisposeAsync();
            throw;
        }
    }

    public ClusterAccess Access(Uri? endpoint = null, string token = ApplianceToken, X509Certificate2Collection? authorities = null) =>
        new(endpoint ?? Endpoint, authorities ?? Authorities, token, TimeProvider.System.GetUtcNow().AddMinutes(10));

    public async Task StopServerAsync()
    {
        await StopAsync(server, "server");
        server = null;
    }

    public async Task StartServerAsync()
    {
        server = Start("server", Program,
        [
            $"--etcd-servers=http://127.0.0.1:{etcdPort}", "--bind-address=127.0.0.1", $"--secure-port={port}", "--insecure-port=0", "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none", $"--tls-cert-file={directory.Path}/server.pem", $"--tls-private-key-file={directory.Path}/server.key",
            $"--token-auth-file={directory.Path}/tokens.csv", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc", $"--service-account-signing-key-file={directory.Path}/account.key", $"--service-account-key-file={directory.Path}/account.key",
            "--service-cluster-ip-range=10.96.0.0/16", $"--cert-dir={directory.Path}", "--etcd-compaction-interval=0", "--profiling=false", .. more,
        ]);
        await UntilAsync(async () => (await admin.GetAsync("readyz")).IsSuccessStatusCode, "server");
    }

    /// <summary>Forgets all history up to now.</summary>
    public async Task CompactAsync()
    {
        var revision = (await GetAsync("api/v1/nodes?limit=1"))["metadata"]!["resourceVersion"]!.GetValue<string>();
        using var http = new HttpClient();
        using var answer = await http.PostAsync($"http://127.0.0.1:{etcdPort}/v3/kv/compaction", new StringContent($$"""{"revision": "{{revision}}", "physical": true}"""));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    public async Task<JsonObject> GetAsync(string path) => (await SendAsync(HttpMethod.Get, path)).Body;

    /// <summary>Nothing when there is none.</summary>
    public async Task<JsonObject?> FindAsync(string path) => await SendAsync(HttpMethod.Get, path, mayFail: true) is (200, var body) ? body : null;

    public async Task<(int Status, JsonObject Body)> SendAsync(HttpMethod method, string path, string? json = null, string type = "application/json", bool mayFail = false, string token = AdminToken)
    {
        using var other = token == AdminToken ? null : Client(token);
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, type);
        using var response = await (other ?? admin).SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(mayFail || response.IsSuccessStatusCode, $"{method} {path}: {text}");
        return ((int)response.StatusCode, JsonNode.Parse(text)!.AsObject());
    }

    public Task CreateAsync(string path, string json) => SendAsync(HttpMethod.Post, path, json);

    public Task DeleteAsync(string path, string? options = null) => SendAsync(HttpMethod.Delete, path, options);

    public Task PatchAsync(string path, string json) => SendAsync(HttpMethod.Patch, path, json, "application/merge-patch+json");

    /// <summary>A node as its kubelet registers it, without a status.</summary>
    public Task RegisterAsync(string name, string cluster = "prod") => CreateAsync("api/v1/nodes", $$"""
        {"apiVersion":"v1","kind":"Node","metadata":{"name":"{{name}}","labels":{"eks.amazonaws.com/compute-type":"hybrid","eks.amazonaws.com/hybrid-credential-provider":"{{(name.StartsWith("mi-", StringComparison.Ordinal) ? "ssm" : "iam-ra")}}"} },
         "spec":{"providerID":"eks-hybrid:///eu-west-1/{{cluster}}/{{name}}"} }
        """);

    /// <summary>What a kubelet, or the node controller, says of it.</summary>
    public Task ReportAsync(string name, string ready, string reason, string message = "", string address = "10.0.0.11", string version = "v1.34.2", DateTimeOffset? at = null)
    {
        var now = (at ?? TimeProvider.System.GetUtcNow()).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return PatchAsync($"api/v1/nodes/{name}/status", $$"""
            {"status":{"capacity":{"cpu":"8","memory":"32Gi"},"addresses":[{"type":"InternalIP","address":"{{address}}"},{"type":"Hostname","address":"{{name}}"}],"nodeInfo":{"kubeletVersion":"{{version}}"},
             "conditions":[{"type":"Ready","status":"{{ready}}","reason":"{{reason}}","message":"{{message}}","lastHeartbeatTime":"{{now}}","lastTransitionTime":"{{now}}"}]} }
            """);
    }

    public Task ReadyAsync(string name, string version = "v1.34.2", string address = "10.0.0.11") => ReportAsync(name, "True", "KubeletReady", "kubelet is posting ready status", address, version);

    /// <param name="owner">Such as <c>ReplicaSet</c>; null for a pod that nobody makes again.</param>
    public async Task PodAsync(string name, string node, string? owner, int grace = 0, string app = "web")
    {
        await CreateAsync("api/v1/namespaces/default/pods", $$"""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{name}}","labels":{"app":"{{app}}"},
             "ownerReferences":[{{(owner is null ? "" : $$"""{"apiVersion":"apps/v1","kind":"{{owner}}","name":"of-it","uid":"{{Guid.NewGuid()}}","controller":true}""")}}]},
             "spec":{"nodeName":"{{node}}","terminationGracePeriodSeconds":{{grace}},"containers":[{"name":"c","image":"example.com/c"}]} }
            """);
        // As its kubelet would: a pod that is not ready is no disruption, and no budget protects it.
        await PatchAsync($"api/v1/namespaces/default/pods/{name}/status", """{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}""");
    }

    public async Task<IReadOnlyList<string>> PodsAsync(string node) =>
        [.. (await GetAsync($"api/v1/pods?fieldSelector=spec.nodeName%3D{node}"))["items"]!.AsArray().Select(p => p!["metadata"]!["name"]!.GetValue<string>()).Order(StringComparer.Ordinal)];

    /// <summary>A budget for pods of that app, and what the disruption controller would say of it.</summary>
    public async Task BudgetAsync(string name, string app, int allowed)
    {
        const string Budgets = "apis/policy/v1beta1/namespaces/default/poddisruptionbudgets";
        if (await FindAsync($"{Budgets}/{name}") is null)
            await CreateAsync(Budgets, $$"""{"apiVersion":"policy/v1beta1","kind":"PodDisruptionBudget","metadata":{"name":"{{name}}"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"{{app}}"} } } }""");
        await PatchAsync($"{Budgets}/{name}/status", $$"""{"status":{"observedGeneration":1,"disruptionsAllowed":{{allowed}},"currentHealthy":1,"desiredHealthy":1,"expectedPods":1} }""");
    }

    public async ValueTask DisposeAsync()
    {
        // The API server lingers when etcd goes first.
        await StopAsync(server, "server");
        await StopAsync(etcd, "etcd");
        admin.Dispose();
        authority.Dispose();
        directory.Dispose();
    }

    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static string? Etcd { get; } = new[] { "/usr/bin/etcd", "/usr/sbin/etcd", "/usr/local/bin/etcd" }.FirstOrDefault(File.Exists);

    private async Task StartEtcdAsync()
    {
        etcd = Start("etcd", Etcd!,
        [
            "--data-dir", Path.Combine(directory.Path, "etcd"), "--listen-client-urls", $"http://127.0.0.1:{etcdPort}", "--advertise-client-urls", $"http://127.0.0.1:{etcdPort}",
            "--listen-peer-urls", $"http://127.0.0.1:{etcdPeerPort}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{etcdPeerPort}",
            "--initial-cluster", $"default=http://127.0.0.1:{etcdPeerPort}", "--logger", "zap", "--log-outputs", "stderr",
        ]);
        using var http = new HttpClient();
        await UntilAsync(async () => (await http.GetStringAsync($"http://127.0.0.1:{etcdPort}/health")).Contains("true", StringComparison.Ordinal), "etcd");
    }

    // The least that following, draining and deleting need: what docs/nodes.md says.
    private async Task AllowAsync()
    {
        await CreateAsync("apis/rbac.authorization.k8s.io/v1/clusterroles", """
            {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"provisioner"},"rules":[
              {"apiGroups":[""],"resources":["nodes"],"verbs":["get","list","watch","patch","delete"]},
              {"apiGroups":[""],"resources":["pods"],"verbs":["get","list","delete"]},
              {"apiGroups":[""],"resources":["pods/eviction"],"verbs":["create"]},
              {"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests"],"verbs":["get","list"]}]}
            """);
        await CreateAsync("apis/rbac.authorization.k8s.io/v1/clusterrolebindings", """
            {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"provisioner"},
             "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"provisioner"},"subjects":[{"kind":"User","name":"appliance","apiGroup":"rbac.authorization.k8s.io"}]}
            """);
        // The API server makes it itself a moment after it is ready.
        await UntilAsync(async () => await FindAsync("api/v1/namespaces/default") is not null, "server");
    }

    private X509Certificate2 MakeCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var from = TimeProvider.System.GetUtcNow().AddHours(-1);
        using var signing = request.CreateSelfSigned(from, from.AddDays(2));
        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var serverRequest = new CertificateRequest("CN=kube-apiserver", serverKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        serverRequest.CertificateExtensions.Add(names.Build());
        using var certificate = serverRequest.Create(signing, from, from.AddDays(1), RandomNumberGenerator.GetBytes(8));
        using var accountKey = RSA.Create(2048);
        File.WriteAllText(Path.Combine(directory.Path, "server.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(directory.Path, "server.key"), serverKey.ExportECPrivateKeyPem());
        File.WriteAllText(Path.Combine(directory.Path, "account.key"), accountKey.ExportRSAPrivateKeyPem());
        File.WriteAllText(Path.Combine(directory.Path, "tokens.csv"), $"""
            {AdminToken},admin,admin,"system:masters"
            {ApplianceToken},appliance,appliance
            node-token,system:node:web-1,web-1,"system:nodes"

            """);
        return X509CertificateLoader.LoadCertificate(signing.RawData);
    }

    private HttpClient Client(string token)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.Add(authority);
        var http = new HttpClient(new SocketsHttpHandler { SslOptions = new() { CertificateChainPolicy = policy } }) { BaseAddress = Endpoint };
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return http;
    }

    private Process Start(string name, string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true };
        // exec: the process that is stopped is the program itself.
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"exec \"$@\" >>'{directory.Path}/{name}.log' 2>&1");
        start.ArgumentList.Add("sh");
        start.ArgumentList.Add(program);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    private static async Task StopAsync(Process? process, string name)
    {
        if (process is null)
            return;
        using (process)
        {
            if (!process.HasExited)
                process.Kill();
            await process.WaitForExitAsync();
            Assert.True(process.HasExited, name);
        }
    }

    private async Task UntilAsync(Func<Task<bool>> there, string log)
    {
        for (var i = 0; i < 600; i++)
        {
            try
            {
                if (await there())
                    return;
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                // Not yet.
            }
            await Task.Delay(200);
        }
        Assert.Fail($"{log} does not answer:\n{string.Join('\n', File.ReadAllLines(Path.Combine(directory.Path, log + ".log")).TakeLast(20))}");
    }

    private static string Repository()
    {
        for (var at = AppContext.BaseDirectory; at is not null; at = Path.GetDirectoryName(at))
        {
            if (File.Exists(Path.Combine(at, "Provisioner.sln")))
                return at;
        }
        return Environment.CurrentDirectory;
    }
}
