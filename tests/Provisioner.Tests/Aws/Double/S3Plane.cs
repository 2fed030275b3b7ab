using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.AwsDoubles;

/// <summary>Buckets as far as backups use them, by path (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).</summary>
internal sealed class S3Plane(AwsAccount account)
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<int, byte[]>> uploads = new(StringComparer.Ordinal);

    /// <summary>The operation a request is for, as policies name it.</summary>
    public static string OperationOf(SignedRequest request) => (request.Request.Method, Split(request).Key) switch
    {
        ("GET", "") => "s3:ListBucket",
        ("GET" or "HEAD", _) => "s3:GetObject",
        ("DELETE", _) => "s3:DeleteObject",
        ("PUT" or "POST", _) => "s3:PutObject",
        _ => throw new AwsRefusal(405, "MethodNotAllowed", "The specified method is not allowed against this resource."),
    };

    /// <param name="content">The body, unpacked where it came in signed chunks.</param>
    public (int Status, Dictionary<string, string> Headers, byte[] Body) Act(SignedRequest request, byte[] content)
    {
        var (bucket, key) = Split(request);
        if (!account.Buckets.TryGetValue(bucket, out var objects))
            throw new AwsRefusal(404, "NoSuchBucket", "The specified bucket does not exist");
        switch (request.Request.Method)
        {
            case "GET" when key.Length == 0:
                return (200, [], List(bucket, objects, request.Parameter("prefix") ?? "", request.Parameter("continuation-token")));
            case "GET" or "HEAD":
                var found = objects.GetValueOrDefault(key) ?? throw new AwsRefusal(404, "NoSuchKey", "The specified key does not exist.");
                return (200, new() { ["Content-Length"] = found.Length.ToString(CultureInfo.InvariantCulture), ["Last-Modified"] = "Fri, 27 Nov 2026 00:00:00 GMT", ["ETag"] = ETag(found) }, request.Request.Method == "HEAD" ? [] : found);
            case "DELETE":
                objects.TryRemove(key, out _);
                return (204, [], []);
            case "POST" when request.Query.Any(q => q.Key == "uploads"):
                var id = AwsAccount.NewId();
                uploads[id] = [];
                return (200, [], Xml($"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"));
            case "PUT" when request.Parameter("uploadId") is { } part:
                Upload(part)[int.Parse(request.Parameter("partNumber")!, CultureInfo.InvariantCulture)] = content;
                return (200, new() { ["ETag"] = ETag(content) }, []);
            case "POST" when request.Parameter("uploadId") is { } whole:
                objects[key] = [.. Upload(whole).OrderBy(p => p.Key).SelectMany(p => p.Value)];
                return (200, [], Xml($"<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>{ETag(objects[key])}</ETag></CompleteMultipartUploadResult>"));
            default:
                objects[key] = content;
                return (200, new() { ["ETag"] = ETag(content) }, []);
        }
    }

    /// <summary>
    /// Takes a body of signed chunks apart: each chunk's signature has the one before it in it, the first that of the header
    /// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
    /// </summary>
    public static byte[] Unchunk(byte[] body, string secret, CredentialScope scope, string date, string seed)
    {
        var (content, position, previous) = (new MemoryStream(), 0, seed);
        while (true)
        {
            var end = body.AsSpan(position).IndexOf("\r\n"u8);
            var fields = end < 0 ? [] : Encoding.ASCII.GetString(body, position, end).Split(";chunk-signature=");
            if (fields.Length != 2 || !int.TryParse(fields[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var length))
                throw new AwsRefusal(400, "IncompleteBody", "A chunk has no length and signature");
            var chunk = body.AsSpan(position + end + 2, length);
            var text = $"AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{previous}\n{Convert.ToHexStringLower(SHA256.HashData([]))}\n{Convert.ToHexStringLower(SHA256.HashData(chunk))}";
            previous = SignedRequest.Signature(secret, scope, text);
            if (previous != fields[1])
                throw new AwsRefusal(403, "SignatureDoesNotMatch", "A chunk's signature does not match");
            if (length == 0)
                return content.ToArray();
            content.Write(chunk);
            position += end + 2 + length + 2;
        }
    }

    private ConcurrentDictionary<int, byte[]> Upload(string id) => uploads.TryGetValue(id, out var parts) ? parts : throw new AwsRefusal(404, "NoSuchUpload", "The specified upload does not exist.");

    // Two at a time, so that whoever lists has to go on.
    private static byte[] List(string bucket, ConcurrentDictionary<string, byte[]> objects, string prefix, string? after)
    {
        var all = objects.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal) && (after is null || string.CompareOrdinal(o.Key, after) > 0)).OrderBy(o => o.Key, StringComparer.Ordinal).ToList();
        var page = all.Take(2).ToList();
        var more = all.Count > page.Count;
        return Xml($"<ListBucketResult><Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{page.Count}</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>{(more ? "true" : "false")}</IsTruncated>{(more ? $"<NextContinuationToken>{page[^1].Key}</NextContinuationToken>" : "")}"
            + string.Concat(page.Select(o => $"<Contents><Key>{WebUtility.HtmlEncode(o.Key)}</Key><LastModified>2026-11-27T00:00:00.000Z</LastModified><ETag>{ETag(o.Value)}</ETag><Size>{o.Value.Length}</Size><StorageClass>STANDARD</StorageClass></Contents>")) + "</ListBucketResult>");
    }

    private static (string Bucket, string Key) Split(SignedRequest request)
    {
        var parts = Uri.UnescapeDataString(request.RawPath).TrimStart('/').Split('/', 2);
        return (parts[0], parts.Length > 1 ? parts[1] : "");
    }

    private static byte[] Xml(string text) => Encoding.UTF8.GetBytes("<?xml version=\"1.0\" encoding=\"UTF-8\"?>" + text);

    private static string ETag(byte[] content) => $"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..32]}\"";
}
