using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.ClusterPrograms;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Cloud;

/// <summary>A real etcd and a real kube-apiserver in a namespace, which ask a webhook whom a token is of, as EKS's ask AWS.</summary>
internal sealed class ApiServer : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    private readonly HttpClient http;

    private ApiServer(HttpClient http, X509Certificate2 authority)
    {
        this.http = http;
        Authority = authority;
    }

    /// <summary>The cluster's own authority.</summary>
    public X509Certificate2 Authority { get; }

    /// <param name="on">Where.</param>
    /// <param name="directory">For its files.</param>
    /// <param name="at">Where it is reached.</param>
    /// <param name="name">By which name.</param>
    /// <param name="webhook">Who knows the tokens.</param>
    public static async Task<ApiServer> StartAsync(NetworkNamespace on, string directory, IPEndPoint at, string name, Uri webhook)
    {
        Directory.CreateDirectory(directory);
        var setup = new KubeApiSetup(directory, at.Address, at.Port, 2379, 2380);
        var authority = setup.WriteFiles(name);
        await File.WriteAllTextAsync(Path.Combine(directory, "webhook.yaml"), $"""
            apiVersion: v1
            kind: Config
            clusters: [{"{"} name: aws, cluster: {"{"} server: "{webhook}" {"}"} {"}"}]
            users: [{"{"} name: server, user: {"{"} {"}"} {"}"}]
            contexts: [{"{"} name: only, context: {"{"} cluster: aws, user: server {"}"} {"}"}]
            current-context: only

            """);
        var etcd = on.Start(KubeApiSetup.EtcdProgram!, setup.EtcdArguments);
        var server = on.Start(KubeApiSetup.ServerProgram, [.. setup.ServerArguments, $"--authentication-token-webhook-config-file={directory}/webhook.yaml", "--authentication-token-webhook-cache-ttl=5s"]);
        var made = new ApiServer(Client(on, at, authority), authority);
        var deadline = TimeProvider.System.GetUtcNow() + StartLimit;
        while (!await made.IsReadyAsync())
        {
            if (server.HasExited || etcd.HasExited || TimeProvider.System.GetUtcNow() > deadline)
                throw new LabException($"kube-apiserver does not become ready:\n{server.Tail()}\netcd:\n{etcd.Tail(10)}");
            await Task.Delay(200);
        }
        return made;
    }

    /// <summary>What stands at that path; null when there is nothing.</summary>
    public async Task<JsonObject?> FindAsync(string path)
    {
        using var response = await http.GetAsync(new Uri(path, UriKind.Relative));
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        return JsonNode.Parse(await ReadAsync(response))!.AsObject();
    }

    /// <summary>Creates what a YAML stream has, as <c>kubectl apply</c> would the first time.</summary>
    public async Task CreateAsync(string yaml)
    {
        foreach (var document in yaml.Split("\n---", StringSplitOptions.RemoveEmptyEntries))
        {
            var kind = Field(document, "kind") ?? throw new LabException($"no kind in:\n{document}");
            var path = $"{(Field(document, "apiVersion") is "v1" ? "api/v1" : "apis/" + Field(document, "apiVersion"))}/{kind.ToLower(CultureInfo.InvariantCulture)}s";
            using var content = new StringContent(document.TrimStart('-', '\n'), Encoding.UTF8, "application/yaml");
            using var response = await http.PostAsync(new Uri(path, UriKind.Relative), content);
            await ReadAsync(response);
        }
    }

    public void Dispose()
    {
        http.Dispose();
        Authority.Dispose();
    }

    private static string? Field(string document, string name) =>
        document.Split('\n').FirstOrDefault(line => line.StartsWith(name + ": ", StringComparison.Ordinal))?[(name.Length + 2)..].Trim();

    private static async Task<string> ReadAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? text : throw new LabException($"{response.RequestMessage!.Method} {response.RequestMessage.RequestUri}: HTTP {(int)response.StatusCode}\n{text}");
    }

    private static HttpClient Client(NetworkNamespace on, IPEndPoint at, X509Certificate2 authority)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = new() { CertificateChainPolicy = KubeApiSetup.Trusting(authority) },
            ConnectCallback = async (_, cancellation) => await on.ConnectAsync(at, cancellation),
        })
        {
            BaseAddress = new Uri($"https://{at}/"),
        };
        client.DefaultRequestHeaders.Authorization = new("Bearer", KubeApiSetup.AdminToken);
        return client;
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var response = await http.GetAsync(new Uri("readyz", UriKind.Relative));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
