using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Certificates;

/// <summary>What the service answered.</summary>
internal sealed record EstAnswer(int Status, string? MediaType, string Body, TimeSpan? RetryAfter)
{
    /// <summary>The certificates of a certs-only answer, the first one first.</summary>
    public IReadOnlyList<X509Certificate2> Certificates()
    {
        Assert.True(Status == 200, $"{Status}: {Body}");
        var certificates = new X509Certificate2Collection();
#pragma warning disable SYSLIB0057 // X509CertificateLoader reads no PKCS#7, and these bytes are our own.
        certificates.Import(Convert.FromBase64String(Body));
#pragma warning restore SYSLIB0057
        return [.. certificates];
    }

    public X509Certificate2 Certificate() => Certificates()[0];

    public void AssertRefused(int status, string reason)
    {
        Assert.True(status == Status && Body.Contains(reason, StringComparison.Ordinal), $"{Status}: {Body}");
        Assert.StartsWith("text/plain", MediaType, StringComparison.Ordinal);
    }
}

/// <summary>A host as EST sees it: a key, requests made of it, and TLS with the appliance's authority pinned.</summary>
/// <param name="at">What its own clock says, where that is not what the appliance's does.</param>
internal sealed class EstClient(RunningAppliance appliance, X509Certificate2? with = null, DateTimeOffset? at = null)
{
    public static string BasicOf(string installation, string token) => Convert.ToBase64String(Encoding.UTF8.GetBytes($"{installation}:{token}"));

    public static byte[] Request(AsymmetricAlgorithm key, string name, Action<CertificateRequest>? more = null, bool withDnsName = true, HashAlgorithmName? hash = null)
    {
        var subject = new X500DistinguishedName($"CN={name}");
        var request = key is ECDsa ec ? new CertificateRequest(subject, ec, hash ?? HashAlgorithmName.SHA256) : new CertificateRequest(subject, (RSA)key, hash ?? HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        if (withDnsName)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            request.CertificateExtensions.Add(names.Build());
        }
        more?.Invoke(request);
        return request.CreateSigningRequest();
    }

    public Task<EstAnswer> EnrolAsync(GivenToken token, byte[] request) => EnrolAsync(token.Installation, token.Token, Convert.ToBase64String(request));

    public Task<EstAnswer> EnrolAsync(string installation, string token, string body, string type = "application/pkcs10") =>
        SendAsync(HttpMethod.Post, "/.well-known/est/simpleenroll", body, type, BasicOf(installation, token));

    public Task<EstAnswer> RenewAsync(byte[] request) => SendAsync(HttpMethod.Post, "/.well-known/est/simplereenroll", Convert.ToBase64String(request), "application/pkcs10");

    public Task<EstAnswer> GetAsync(string path) => SendAsync(HttpMethod.Get, path, null, null);

    public async Task<EstAnswer> SendAsync(HttpMethod method, string path, string? body, string? type, string? basic = null)
    {
        using var http = Connect();
        using var request = new HttpRequestMessage(method, path);
        if (basic is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", basic);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.ASCII.GetBytes(body));
            if (type is not null)
                request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        }
        // As curl does with a large body: whoever sends on regardless may find the connection closed before the refusal is read (RFC 9110 section 10.1.1).
        request.Headers.ExpectContinue = body?.Length > 64_000;
        using var response = await http.SendAsync(request);
        var retry = response.Headers.RetryAfter?.Delta;
        return new EstAnswer((int)response.StatusCode, response.Content.Headers.ContentType?.ToString(), await response.Content.ReadAsStringAsync(), retry);
    }

    /// <summary>One connection, which trusts what the appliance's authority signed and nothing else.</summary>
    public HttpClient Connect()
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(10),
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                CertificateChainPolicy = Policy(appliance, at),
                ClientCertificates = with is null ? null : [with],
                LocalCertificateSelectionCallback = with is null ? null : (_, _, _, _, _) => with,
            },
        };
        return new HttpClient(handler) { BaseAddress = new Uri($"https://localhost:{appliance.SecurePort}"), DefaultRequestVersion = HttpVersion.Version11 };
    }

    public static X509ChainPolicy Policy(RunningAppliance appliance, DateTimeOffset? at = null)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, VerificationTime = (at ?? appliance.Now).UtcDateTime, VerificationTimeIgnored = false };
        foreach (var der in Provisioner.Certificates.CertificateAuthority.Trusted(appliance.Snapshot))
            policy.CustomTrustStore.Add(X509CertificateLoader.LoadCertificate(der));
        return policy;
    }
}

/// <summary>A token as <c>provisioner token</c> gives it.</summary>
internal sealed record GivenToken(string Installation, string Token);
