using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Aws.Setup;
using Provisioner.ClusterPrograms;
using Provisioner.Clusters;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Kubernetes;

/// <summary>A real kube-apiserver with a real etcd on loopback, with tokens and RBAC. Nothing else of a cluster: the tests are its kubelets and controllers.</summary>
internal sealed class KubeApi : IAsyncDisposable
{
    public const string ApplianceToken = KubeApiSetup.ApplianceToken;

    private const string AdminToken = KubeApiSetup.AdminToken;

    private readonly TemporaryDirectory directory = new();
    private readonly X509Certificate2 authority;
    private readonly HttpClient admin;
    private readonly KubeApiSetup setup;
    private readonly string[] more;
    private Process? etcd;
    private Process? server;

    private KubeApi(string[] more)
    {
        this.more = more;
        setup = new KubeApiSetup(directory.Path, IPAddress.Loopback, FreePort(), FreePort(), FreePort());
        authority = setup.WriteFiles();
        admin = Client(AdminToken);
    }

    public Uri Endpoint => new($"https://127.0.0.1:{setup.Port}/");

    public X509Certificate2Collection Authorities => [authority];

    /// <summary>Skips the running test where there is none, unless it has to be there.</summary>
    public static void SkipWithout() => KubeApiSetup.SkipWithout();

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
        server = Start("server", KubeApiSetup.ServerProgram, [.. setup.ServerArguments, .. more]);
        await UntilAsync(async () => (await admin.GetAsync("readyz")).IsSuccessStatusCode, "server");
    }

    /// <summary>Forgets all history up to now.</summary>
    public async Task CompactAsync()
    {
        var revision = (await GetAsync("api/v1/nodes?limit=1"))["metadata"]!["resourceVersion"]!.GetValue<string>();
        using var http = new HttpClient();
        using var answer = await http.PostAsync($"{setup.EtcdUrl}/v3/kv/compaction", new StringContent($$"""{"revision": "{{revision}}", "physical": true}"""));
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

    private async Task StartEtcdAsync()
    {
        etcd = Start("etcd", KubeApiSetup.EtcdProgram!, setup.EtcdArguments);
        using var http = new HttpClient();
        await UntilAsync(async () => (await http.GetStringAsync($"{setup.EtcdUrl}/health")).Contains("true", StringComparison.Ordinal), "etcd");
    }

    // What 'aws plan --as kubernetes' prints, and nothing else: what the appliance does here, it may do in a real cluster.
    private async Task AllowAsync()
    {
        foreach (var document in AwsPlan.Rbac.Split("---\n"))
            await SendAsync(HttpMethod.Post, $"apis/rbac.authorization.k8s.io/v1/{(document.Contains("kind: ClusterRoleBinding", StringComparison.Ordinal) ? "clusterrolebindings" : "clusterroles")}", document, "application/yaml");
        // The API server makes it itself a moment after it is ready.
        await UntilAsync(async () => await FindAsync("api/v1/namespaces/default") is not null, "server");
    }

    private HttpClient Client(string token)
    {
        var http = new HttpClient(new SocketsHttpHandler { SslOptions = new() { CertificateChainPolicy = KubeApiSetup.Trusting(authority) } }) { BaseAddress = Endpoint };
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
}
