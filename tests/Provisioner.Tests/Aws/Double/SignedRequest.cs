using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.AwsDoubles;

/// <summary>A request as it came, in the form in which it was signed: put together here from what is on the wire, by no code of the one who signed.</summary>
internal sealed class SignedRequest
{
    private SignedRequest(HttpRequest request, string rawTarget, byte[] body)
    {
        Request = request;
        Body = body;
        var question = rawTarget.IndexOf('?', StringComparison.Ordinal);
        RawPath = question < 0 ? rawTarget : rawTarget[..question];
        Query = [.. (question < 0 ? "" : rawTarget[(question + 1)..]).Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('=', 2)).Select(p => KeyValuePair.Create(Uri.UnescapeDataString(p[0]), p.Length > 1 ? Uri.UnescapeDataString(p[1]) : ""))];
    }

    public HttpRequest Request { get; }

    /// <summary>Escaped, as it came.</summary>
    public string RawPath { get; }

    public IReadOnlyList<KeyValuePair<string, string>> Query { get; }

    public byte[] Body { get; }

    public string? Parameter(string name) => Query.Where(p => p.Key == name).Select(p => p.Value).FirstOrDefault();

    public static async Task<SignedRequest> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        return new SignedRequest(context.Request, context.Features.Get<IHttpRequestFeature>()!.RawTarget, body.ToArray());
    }

    /// <summary>What stands for the body of one that is signed chunk by chunk.</summary>
    public const string Chunked = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

    public bool IsChunked => Request.Headers["x-amz-content-sha256"].ToString() == Chunked;

    /// <param name="isS3">Its paths are escaped once; those of every other service twice.</param>
    public string Canonical(IEnumerable<string> signedHeaders, bool isS3 = false) => CanonicalOf(Request.Method, RawPath, Query, [.. signedHeaders.Select(name => (name, Header(name)))], isS3 && IsChunked ? Chunked : PayloadHash(), isS3);

    public static string CanonicalOf(string method, string path, IEnumerable<KeyValuePair<string, string>> query, IReadOnlyList<(string Name, string Value)> headers, string payloadHash, bool isS3 = false)
    {
        var pairs = query.Select(p => $"{Uri.EscapeDataString(p.Key)}={Uri.EscapeDataString(p.Value)}").ToList();
        pairs.Sort(string.CompareOrdinal);
        var lines = new List<string> { method, isS3 ? path : string.Join('/', path.Split('/').Select(Uri.EscapeDataString)), string.Join('&', pairs) };
        lines.AddRange(headers.Select(h => $"{h.Name}:{string.Join(' ', h.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))}"));
        lines.AddRange(["", string.Join(';', headers.Select(h => h.Name)), payloadHash]);
        return string.Join('\n', lines);
    }

    public static string StringToSign(string algorithm, string date, CredentialScope scope, string canonical) =>
        $"{algorithm}\n{date}\n{scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";

    /// <summary>The chain of HMACs of Signature Version 4.</summary>
    public static string Signature(string secret, CredentialScope scope, string stringToSign)
    {
        var key = Encoding.UTF8.GetBytes("AWS4" + secret);
        foreach (var part in new[] { scope.Date, scope.Region, scope.Service, "aws4_request", stringToSign })
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        return Convert.ToHexStringLower(key);
    }

    public string Header(string name) => name == "host" ? Request.Host.Value! : string.Join(',', Request.Headers[name].AsEnumerable());

    private string PayloadHash()
    {
        var actual = Convert.ToHexStringLower(SHA256.HashData(Body));
        var said = Request.Headers["x-amz-content-sha256"].ToString();
        return said.Length == 0 || said == actual ? actual : throw new AwsRefusal(400, "XAmzContentSHA256Mismatch", "The body is not the one that was signed.");
    }
}
