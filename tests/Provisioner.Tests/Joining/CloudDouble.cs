using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Provisioner.Tests.Join;

namespace Provisioner.Tests.Joining;

/// <summary>AWS, the cluster's API and a cache of artifacts behind one address: as much of them as a node talks to when it joins.</summary>
internal sealed class CloudDouble : IAsyncDisposable
{
    public const string AccessKey = "ASIAEXAMPLE", SecretKey = "secret/key", SessionToken = "session+token/==", Region = "eu-west-1", Role = "arn:aws:iam::111122223333:role/hybrid";

    private readonly WebApplication app;
    private readonly Authority authority;

    private CloudDouble(WebApplication app, Authority authority)
    {
        this.app = app;
        this.authority = authority;
    }

    public string Address { get; private set; } = "";

    public ConcurrentDictionary<string, byte[]> Artifacts { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, JsonNode> Nodes { get; } = new(StringComparer.Ordinal);

    /// <summary>What was asked for, and for sessions by which algorithm.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    public string ClusterStatus { get; set; } = "ACTIVE";

    public string NodeNetwork { get; set; } = "10.77.0.0/16";

    public static async Task<CloudDouble> StartAsync(Authority authority)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(authority.IssueServer())));
        var server = builder.Build();
        var cloud = new CloudDouble(server, authority);
        server.Run(cloud.AnswerAsync);
        await server.StartAsync();
        cloud.Address = server.Urls.Single();
        return cloud;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        var path = context.Request.Path.Value!;
        var (status, answer) = (context.Request.Method, path) switch
        {
            ("POST", "/sessions") => Session(context.Request, body),
            ("POST", "/") => Registration(context.Request, body),
            ("GET", "/clusters/prod") when IsSigned(context.Request) => (200, new JsonObject
            {
                ["cluster"] = new JsonObject
                {
                    ["status"] = ClusterStatus,
                    ["version"] = "1.35",
                    ["endpoint"] = Address,
                    ["certificateAuthority"] = new JsonObject { ["data"] = AuthorityData() },
                    ["kubernetesNetworkConfig"] = new JsonObject { ["serviceIpv4Cidr"] = "172.20.0.0/16" },
                    ["remoteNetworkConfig"] = new JsonObject { ["remoteNodeNetworks"] = new JsonArray(new JsonObject { ["cidrs"] = new JsonArray(NodeNetwork) }) },
                },
            }),
            ("GET", "/clusters/prod/access-entries") when IsSigned(context.Request) => (200, new JsonObject { ["accessEntries"] = new JsonArray(Role) }),
            (_, var p) when p.StartsWith("/api/v1/nodes", StringComparison.Ordinal) => Node(context.Request, body),
            ("GET", var p) when Artifacts.TryGetValue(p.TrimStart('/'), out var artifact) => (200, Bytes(artifact)),
            _ => (404, (JsonNode)new JsonObject { ["message"] = "not here" }),
        };
        Asked.Enqueue($"{context.Request.Method} {path} {status}{(path == "/sessions" ? " " + context.Request.Headers.Authorization.ToString().Split(' ')[0] : "")}");
        context.Response.StatusCode = status;
        if (answer is JsonValue value && value.TryGetValue<byte[]>(out var bytes))
            await context.Response.Body.WriteAsync(bytes);
        else
            await context.Response.WriteAsync(answer.ToJsonString());
    }

    public string AuthorityData() => Convert.ToBase64String(Encoding.ASCII.GetBytes(authority.Certificate.ExportCertificatePem() + "\n"));

    private static JsonValue Bytes(byte[] content) => JsonValue.Create(content)!;

    private static (int, JsonNode) Refusal(int status, string why) => (status, new JsonObject { ["message"] = why });

    // What Roles Anywhere verifies, rebuilt from the request: https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html
    private (int, JsonNode) Session(HttpRequest request, string body)
    {
        var words = request.Headers.Authorization.ToString().Replace(",", "", StringComparison.Ordinal).Split(' ');
        var fields = words.Skip(1).Select(word => word.Split('=', 2)).ToDictionary(field => field[0], field => field[1], StringComparer.Ordinal);
        using var certificate = X509CertificateLoader.LoadCertificate(Convert.FromBase64String(request.Headers["x-amz-x509"].ToString()));
        var scope = fields["Credential"].Split('/');
        if (scope[0] != new BigInteger(certificate.SerialNumberBytes.Span, isUnsigned: true, isBigEndian: true).ToString(CultureInfo.InvariantCulture))
            return Refusal(403, "the serial number is not the certificate's");
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.Add(authority.Certificate);
        if (!chain.Build(certificate))
            return Refusal(403, "untrusted certificate");
        var signed = Encoding.UTF8.GetBytes($"{words[0]}\n{request.Headers["x-amz-date"]}\n{string.Join('/', scope[1..])}\n{Hash(Canonical(request, fields["SignedHeaders"], body))}");
        var signature = Convert.FromHexString(fields["Signature"]);
        var good = words[0] == "AWS4-X509-RSA-SHA256"
            ? certificate.GetRSAPublicKey()!.VerifyData(signed, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : certificate.GetECDsaPublicKey()!.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        if (!good)
            return Refusal(403, "the signature does not verify");
        var name = (string?)JsonNode.Parse(body)!["roleSessionName"];
        if (certificate.GetNameInfo(X509NameType.SimpleName, false) != name)
            return Refusal(403, $"session name {name} is not the certificate's");
        return (201, new JsonObject { ["credentialSet"] = new JsonArray(new JsonObject { ["credentials"] = Credentials("accessKeyId", "secretAccessKey", "sessionToken", "expiration") }) });
    }

    private static (int, JsonNode) Registration(HttpRequest request, string body)
    {
        var asked = JsonNode.Parse(body)!;
        switch (request.Headers["x-amz-target"].ToString())
        {
            case "AmazonSSM.RegisterManagedInstance" when (string?)asked["ActivationCode"] == "aCodeOfTwentyLetters":
                return (200, new JsonObject { ["InstanceId"] = "mi-0123456789abcdef0" });
            case "AmazonSSM.RequestManagedInstanceRoleToken":
                return (200, Credentials("AccessKeyId", "SecretAccessKey", "SessionToken", "TokenExpirationDate"));
            default:
                return Refusal(400, "InvalidActivation");
        }
    }

    private static JsonObject Credentials(string key, string secret, string token, string ends) => new()
    {
        [key] = AccessKey,
        [secret] = SecretKey,
        [token] = SessionToken,
        [ends] = TimeProvider.System.GetUtcNow().AddHours(1).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
    };

    private static bool IsSigned(HttpRequest request)
    {
        var fields = request.Headers.Authorization.ToString().Split(' ').Skip(1).Select(word => word.TrimEnd(',').Split('=', 2)).ToDictionary(field => field[0], field => field[1], StringComparer.Ordinal);
        var scope = fields["Credential"].Split('/');
        return scope[0] == AccessKey && request.Headers["x-amz-security-token"] == SessionToken
            && fields["Signature"] == Hmac(scope[1..], $"AWS4-HMAC-SHA256\n{request.Headers["x-amz-date"]}\n{string.Join('/', scope[1..])}\n{Hash(Canonical(request, fields["SignedHeaders"], ""))}");
    }

    // aws-iam-authenticator: the token is a presigned URL, and who it was presigned for is whose key signed it.
    private bool IsNode(string authorization)
    {
        if (!authorization.StartsWith("Bearer k8s-aws-v1.", StringComparison.Ordinal))
            return false;
        var text = authorization["Bearer k8s-aws-v1.".Length..];
        var url = new Uri(Encoding.ASCII.GetString(Convert.FromBase64String(text.Replace('-', '+').Replace('_', '/').PadRight((text.Length + 3) / 4 * 4, '='))));
        var query = HttpUtility.ParseQueryString(url.Query);
        var signature = query["X-Amz-Signature"];
        query.Remove("X-Amz-Signature");
        var scope = query["X-Amz-Credential"]!.Split('/');
        var canonical = $"GET\n/\n{Query(query.AllKeys.Select(key => (key!, query[key]!)))}\nhost:{url.Authority}\nx-k8s-aws-id:prod\n\nhost;x-k8s-aws-id\n{Hash("")}";
        return query["Action"] == "GetCallerIdentity" && scope[0] == AccessKey && url.Authority == new Uri(Address).Authority
            && signature == Hmac(scope[1..], $"AWS4-HMAC-SHA256\n{query["X-Amz-Date"]}\n{string.Join('/', scope[1..])}\n{Hash(canonical)}");
    }

    private (int, JsonNode) Node(HttpRequest request, string body)
    {
        if (!IsNode(request.Headers.Authorization.ToString()))
            return Refusal(401, "Unauthorized");
        var name = request.Path.Value!["/api/v1/nodes".Length..].Trim('/').Split('/')[0];
        switch (request.Method)
        {
            case "GET":
                return Nodes.TryGetValue(name, out var found) ? (200, found.DeepClone()) : Refusal(404, "nodes not found");
            case "POST":
                var made = JsonNode.Parse(body)!;
                Nodes[(string)made["metadata"]!["name"]!] = made;
                return (201, made.DeepClone());
            case "PATCH" when Nodes.TryGetValue(name, out var patched):
                patched["status"] = JsonNode.Parse(body)!["status"]!.DeepClone();
                return (200, patched.DeepClone());
            default:
                return Refusal(404, "nodes not found");
        }
    }

    private static string Canonical(HttpRequest request, string signedHeaders, string body) =>
        string.Join('\n',
        [
            request.Method, request.Path.Value!, Query(request.Query.Select(pair => (pair.Key, pair.Value.ToString()))),
            .. signedHeaders.Split(';').Select(name => $"{name}:{(name == "host" ? request.Host.Value! : request.Headers[name].ToString()).Trim()}"),
            "", signedHeaders, Hash(body),
        ]);

    private static string Query(IEnumerable<(string Key, string Value)> pairs) =>
        string.Join('&', pairs.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(pair.Value)}"));

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Hmac(string[] scope, string text)
    {
        var key = Encoding.UTF8.GetBytes("AWS4" + SecretKey);
        foreach (var part in scope)
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        return Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));
    }
}
