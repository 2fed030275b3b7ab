using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.AwsDoubles;

/// <summary>
/// AWS for tests: one account in one region, over real HTTP. It refuses what AWS refuses: every call has to be signed by keys that it gave out itself,
/// those of a role may do what the role's policies say, and a session is given by <see cref="SessionGate"/> alone. Which service is meant stands in the
/// signature's scope, so that one address serves them all.
/// </summary>
internal sealed class AwsDouble : IAsyncDisposable
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(15);

    private readonly WebApplication app;
    private readonly TimeProvider time;
    private readonly SessionGate sessions;
    private readonly RolesAnywherePlane rolesAnywhere;
    private readonly EksPlane eks;
    private readonly QueryPlanes queries;
    private readonly SsmPlane ssm;
    private readonly S3Plane s3;

    private AwsDouble(WebApplication app, AwsAccount account, TimeProvider time)
    {
        (this.app, Account, this.time) = (app, account, time);
        sessions = new SessionGate(account, time);
        rolesAnywhere = new RolesAnywherePlane(account);
        eks = new EksPlane(account);
        queries = new QueryPlanes(account);
        ssm = new SsmPlane(account, time);
        s3 = new S3Plane(account);
    }

    public AwsAccount Account { get; }

    public Uri Url => new(app.Urls.First());

    /// <summary>Every operation it was asked for, such as <c>rolesanywhere:ListCrls</c>, refused or not.</summary>
    public ConcurrentQueue<string> Operations { get; } = new();

    /// <summary>Faults that are planted: what it gives is the answer to that operation; null for none.</summary>
    public Func<string, AwsRefusal?>? Fault { get; set; }

    /// <summary>What the agent of a host does with its activation. Gives the managed instance's id.</summary>
    /// <exception cref="AwsRefusal">The activation is over, or used up.</exception>
    public string RegisterInstance(string activationId, string code) => ssm.Register(activationId, code);

    /// <param name="time">By which signatures and sessions end.</param>
    /// <param name="account">An empty one when not given.</param>
    /// <param name="listen">Loopback and a free port when not said.</param>
    /// <param name="https">With a certificate, it speaks TLS.</param>
    /// <param name="bind">Makes the socket it listens on, when that has to be done elsewhere, such as in a network namespace.</param>
    public static async Task<AwsDouble> StartAsync(
        TimeProvider? time = null, AwsAccount? account = null, IPEndPoint? listen = null, X509Certificate2? https = null, Func<EndPoint, Socket>? bind = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(listen ?? new IPEndPoint(IPAddress.Loopback, 0), options =>
            {
                options.Protocols = HttpProtocols.Http1;
                if (https is not null)
                    options.UseHttps(https);
            });
            kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
        });
        if (https is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        if (bind is not null)
            builder.WebHost.UseSockets(sockets => sockets.CreateBoundListenSocket = bind);
        var built = builder.Build();
        var made = new AwsDouble(built, account ?? new AwsAccount(), time ?? TimeProvider.System);
        built.Run(made.AnswerAsync);
        await built.StartAsync();
        return made;
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    /// <summary>
    /// What the authenticator beside a cluster's API server makes of a bearer token (kubernetes-sigs/aws-iam-authenticator, pkg/token): takes the URL apart,
    /// lets nothing through that is not a question of GetCallerIdentity with this cluster's name signed into it, and asks STS.
    /// </summary>
    /// <exception cref="AwsRefusal">It is not let in; says why.</exception>
    public DoubleIdentity VerifyToken(string token, string cluster)
    {
        const string Prefix = "k8s-aws-v1.";
        if (!token.StartsWith(Prefix, StringComparison.Ordinal) || token.Length > 4096 + Prefix.Length || token.Contains('=', StringComparison.Ordinal))
            throw AwsRefusal.Denied("token is not one of EKS, or too long, or padded");
        if (!Uri.TryCreate(Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(token.AsSpan(Prefix.Length))), UriKind.Absolute, out var url))
            throw AwsRefusal.Denied("token holds no URL");
        if (url.Scheme != "https" || url.Host != $"sts.{Account.Region}.amazonaws.com" || url.AbsolutePath != "/" || !url.IsDefaultPort)
            throw AwsRefusal.Denied($"unexpected host or path {url.Host}{url.AbsolutePath}");
        var query = url.Query.TrimStart('?').Split('&').Select(p => p.Split('=', 2)).ToDictionary(p => Uri.UnescapeDataString(p[0]), p => Uri.UnescapeDataString(p[1]), StringComparer.OrdinalIgnoreCase);
        string[] known = ["action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token", "x-amz-signature", "x-amz-signedheaders"];
        if (query.Keys.FirstOrDefault(k => !known.Contains(k.ToLowerInvariant(), StringComparer.Ordinal)) is { } extra)
            throw AwsRefusal.Denied($"non-whitelisted query parameter {extra}");
        if (query.GetValueOrDefault("Action") != "GetCallerIdentity" || query.GetValueOrDefault("X-Amz-SignedHeaders")?.Split(';') is not { } names || !names.Contains("x-k8s-aws-id") || !names.Contains("host"))
            throw AwsRefusal.Denied("it does not ask GetCallerIdentity with the cluster's name signed");
        if (!int.TryParse(query.GetValueOrDefault("X-Amz-Expires"), out var expires) || expires is < 0 or > 900 || !AmzDate.TryParse(query.GetValueOrDefault("X-Amz-Date"), out var at))
            throw AwsRefusal.Denied("invalid X-Amz-Expires or X-Amz-Date");
        var now = time.GetUtcNow();
        if (now > at + TimeSpan.FromMinutes(15) || at > now + TimeSpan.FromMinutes(5))
            throw AwsRefusal.Denied("X-Amz-Date parameter is expired");
        var credential = query.GetValueOrDefault("X-Amz-Credential") ?? "";
        var slash = credential.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !CredentialScope.TryParse(credential[(slash + 1)..], out var scope) || scope.Service != "sts" || scope.Region != Account.Region || scope.Date != query["X-Amz-Date"][..8])
            throw AwsRefusal.Denied("Credential is not scoped to STS of this region and day");
        var keys = Known(credential[..slash], query.GetValueOrDefault("X-Amz-Security-Token"));
        var signed = url.Query.TrimStart('?').Split('&').Select(p => p.Split('=', 2)).Select(p => KeyValuePair.Create(Uri.UnescapeDataString(p[0]), Uri.UnescapeDataString(p[1]))).Where(p => p.Key != "X-Amz-Signature");
        var canonical = SignedRequest.CanonicalOf("GET", "/", signed, [.. names.Select(n => (n, n == "host" ? url.Host : n == "x-k8s-aws-id" ? cluster : ""))], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        if (SignedRequest.Signature(keys.SecretAccessKey, scope, SignedRequest.StringToSign("AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, canonical)) != query.GetValueOrDefault("X-Amz-Signature"))
            throw AwsRefusal.Denied("STS refuses: the signature does not match (for another cluster, perhaps)");
        var role = keys.Role?.Arn ?? keys.Principal;
        var session = keys.Role is null ? "" : keys.Principal[(keys.Principal.LastIndexOf('/') + 1)..];
        if (!Account.Clusters.TryGetValue(cluster, out var there) || !there.AccessEntries.TryGetValue(role, out var entry))
            throw AwsRefusal.Denied($"{role} has no access entry in {cluster}");
        return entry.Type == "HYBRID_LINUX" ? new DoubleIdentity(keys.Principal, role, $"system:node:{session}", ["system:nodes"]) : new DoubleIdentity(keys.Principal, role, keys.Principal, entry.Groups);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var isQuery = context.Request.ContentType?.StartsWith("application/x-www-form-urlencoded", StringComparison.Ordinal) == true;
        var request = await SignedRequest.ReadAsync(context);
        try
        {
            if (request.Header("authorization").Contains("/s3/aws4_request", StringComparison.Ordinal))
            {
                await AnswerS3Async(context, request);
                return;
            }
            var (status, type, text) = Answer(request, isQuery);
            context.Response.StatusCode = status;
            context.Response.ContentType = type;
            await context.Response.WriteAsync(text);
        }
        catch (AwsRefusal refusal)
        {
            context.Response.StatusCode = refusal.Status;
            if (request.Header("authorization").Contains("/s3/aws4_request", StringComparison.Ordinal))
            {
                context.Response.ContentType = "application/xml";
                await context.Response.WriteAsync($"<Error><Code>{refusal.Code}</Code><Message>{WebUtility.HtmlEncode(refusal.Message)}</Message><RequestId>1</RequestId></Error>");
            }
            else if (isQuery)
            {
                context.Response.ContentType = "text/xml";
                await context.Response.WriteAsync($"<ErrorResponse><Error><Type>Sender</Type><Code>{refusal.Code}</Code><Message>{WebUtility.HtmlEncode(refusal.Message)}</Message></Error><RequestId>1</RequestId></ErrorResponse>");
            }
            else
            {
                context.Response.Headers["X-Amzn-ErrorType"] = refusal.Code;
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(new JsonObject { ["__type"] = refusal.Code, ["message"] = refusal.Message }.ToJsonString());
            }
        }
    }

    private async Task AnswerS3Async(HttpContext context, SignedRequest request)
    {
        var (keys, scope) = Signed(request);
        Allowed(keys, S3Plane.OperationOf(request));
        var content = request.IsChunked && AuthorizationHeader.TryParse(request.Header("authorization"), out var header, out _) ? S3Plane.Unchunk(request.Body, keys.SecretAccessKey, scope, request.Header("x-amz-date"), header.Signature) : request.Body;
        var (status, headers, body) = s3.Act(request, content);
        context.Response.StatusCode = status;
        foreach (var (name, value) in headers)
            context.Response.Headers[name] = value;
        if (body.Length > 0)
            context.Response.ContentType = "application/xml";
        await context.Response.Body.WriteAsync(body);
    }

    private (int Status, string Type, string Text) Answer(SignedRequest request, bool isQuery)
    {
        if (request.RawPath == "/sessions" && request.Request.Method == "POST")
        {
            Asked("rolesanywhere:CreateSession");
            return (201, "application/json", sessions.Create(request).ToJsonString());
        }
        // An agent has no keys yet, and shows what it has instead: its activation, and then its registration's own key.
        if (request.Header("x-amz-target") is "AmazonSSM.RegisterManagedInstance" or "AmazonSSM.RequestManagedInstanceRoleToken")
        {
            var asked = request.Header("x-amz-target")["AmazonSSM.".Length..];
            Asked($"ssm:{asked}");
            return (200, "application/x-amz-json-1.1", ssm.ActForAgent(asked, request).ToJsonString());
        }
        var (keys, scope) = Signed(request);
        switch (scope.Service)
        {
            case "rolesanywhere" or "eks":
                var route = $"{request.Request.Method} {request.RawPath}";
                var (operation, act) = scope.Service == "eks" ? eks.Find(route) : rolesAnywhere.Find(route);
                Allowed(keys, operation);
                var body = request.Body.Length == 0 ? [] : JsonNode.Parse(request.Body)!.AsObject();
                var (status, json) = act(body, request);
                return (status, "application/json", json.ToJsonString());
            case "ssm":
                var target = request.Header("x-amz-target");
                var name = target.StartsWith("AmazonSSM.", StringComparison.Ordinal) ? target["AmazonSSM.".Length..] : throw AwsRefusal.Invalid("no X-Amz-Target");
                Allowed(keys, $"ssm:{name}");
                if (name == "CreateActivation")
                    Allowed(keys, "iam:PassRole");
                return (200, "application/x-amz-json-1.1", ssm.Act(name, JsonNode.Parse(request.Body)!.AsObject()).ToJsonString());
            default:
                if (!isQuery)
                    throw AwsRefusal.Invalid($"{scope.Service} is asked by a form");
                var form = Encoding.UTF8.GetString(request.Body).Split('&').Select(p => p.Split('=', 2))
                    .ToDictionary(p => Unescape(p[0]), p => Unescape(p[1]), StringComparer.Ordinal);
                var action = form.GetValueOrDefault("Action") ?? "";
                if (scope.Service != "sts" || action != "GetCallerIdentity")
                    Allowed(keys, $"{scope.Service}:{action}");
                else
                    Asked("sts:GetCallerIdentity");
                return (200, "text/xml", queries.Act(scope.Service, action, form, keys));
        }
    }

    private static string Unescape(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

    private (DoubleKeys Keys, CredentialScope Scope) Signed(SignedRequest request)
    {
        if (!AuthorizationHeader.TryParse(request.Header("authorization"), out var header, out var reason) || header.Algorithm != "AWS4-HMAC-SHA256")
            throw new AwsRefusal(403, "IncompleteSignatureException", $"Unreadable signature: {reason}");
        var keys = Known(header.Credential, request.Header("x-amz-security-token") is { Length: > 0 } token ? token : null);
        var region = header.Scope.Service == "iam" ? "us-east-1" : Account.Region;
        var date = request.Header("x-amz-date");
        if (header.Scope.Region != region || date.Length < 8 || header.Scope.Date != date[..8])
            throw new AwsRefusal(403, "InvalidSignatureException", $"Credential should be scoped to {region} and the day of X-Amz-Date");
        if (!AmzDate.TryParse(date, out var at) || (time.GetUtcNow() - at).Duration() > Window)
            throw new AwsRefusal(403, "InvalidSignatureException", "Signature expired: X-Amz-Date is too far from the current time");
        foreach (var name in request.Request.Headers.Keys.Where(h => h.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase)).Append("host").Select(h => h.ToLowerInvariant()))
        {
            if (!header.SignedHeaders.Contains(name))
                throw new AwsRefusal(403, "InvalidSignatureException", $"{name} must be signed");
        }
        if (SignedRequest.Signature(keys.SecretAccessKey, header.Scope, SignedRequest.StringToSign(header.Algorithm, date, header.Scope, request.Canonical(header.SignedHeaders, header.Scope.Service == "s3"))) != header.Signature)
            throw new AwsRefusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.");
        return (keys, header.Scope);
    }

    private DoubleKeys Known(string accessKey, string? token)
    {
        if (!Account.Keys.TryGetValue(accessKey, out var keys) || keys.SessionToken != token)
            throw new AwsRefusal(403, "UnrecognizedClientException", "The security token included in the request is invalid.");
        return keys.Expiration is { } end && time.GetUtcNow() >= end ? throw new AwsRefusal(403, "ExpiredTokenException", "The security token included in the request is expired") : keys;
    }

    private void Allowed(DoubleKeys keys, string operation)
    {
        Asked(operation);
        if (keys.Role is { } role && !TrustPolicy.Allows(role, operation))
            throw AwsRefusal.Denied(string.Create(CultureInfo.InvariantCulture, $"User: {keys.Principal} is not authorized to perform: {operation}"));
    }

    private void Asked(string operation)
    {
        Operations.Enqueue(operation);
        if (Fault?.Invoke(operation) is { } fault)
            throw fault;
    }
}

/// <summary>Whom a cluster takes the bearer of a token for.</summary>
internal sealed record DoubleIdentity(string Arn, string RoleArn, string Username, IReadOnlyList<string> Groups);
