using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Amazon.S3.Transfer;
using Provisioner.Aws.Clients;
using Provisioner.Backup;

namespace Provisioner.Aws;

/// <summary>A bucket, with the appliance's own credentials.</summary>
internal sealed class BackupBucket(S3Options options, AwsClients clients) : IBackupPlace
{
    public string Name => $"s3://{options.Bucket}/{options.Prefix}";

    public async Task<IReadOnlyList<KeptBackup>> ListAsync(CancellationToken ct) => await AskAsync("list", async s3 =>
    {
        var found = new List<KeptBackup>();
        var request = new ListObjectsV2Request { BucketName = options.Bucket, Prefix = options.Prefix };
        ListObjectsV2Response page;
        do
        {
            page = await s3.ListObjectsV2Async(request, ct);
            foreach (var item in page.S3Objects ?? [])
            {
                if (BackupNames.TimeOf(item.Key[options.Prefix.Length..]) is { } at)
                    found.Add(new KeptBackup(item.Key[options.Prefix.Length..], at, item.Size ?? 0));
            }
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
        return (IReadOnlyList<KeptBackup>)found;
    });

    /// <summary>Sends a file there and asks that the object has its length.</summary>
    public async Task SendAsync(string path, CancellationToken ct) => await AskAsync("write to", async s3 =>
    {
        var key = options.Prefix + Path.GetFileName(path);
        using var transfer = new TransferUtility(s3);
        await transfer.UploadAsync(new TransferUtilityUploadRequest { BucketName = options.Bucket, Key = key, FilePath = path, ContentType = "application/octet-stream" }, ct);
        var there = await s3.GetObjectMetadataAsync(options.Bucket, key, ct);
        return there.ContentLength == new FileInfo(path).Length ? 0 : throw new BackupException($"{Name}{Path.GetFileName(path)} has {there.ContentLength} bytes there, and {new FileInfo(path).Length} here");
    });

    public async Task RemoveAsync(KeptBackup backup, CancellationToken ct) => await AskAsync("remove from", async s3 => await s3.DeleteObjectAsync(options.Bucket, options.Prefix + backup.Name, ct));

    private async Task<T> AskAsync<T>(string what, Func<IAmazonS3, Task<T>> ask)
    {
        try
        {
            using var s3 = clients.S3(options.Region);
            return await ask(s3);
        }
        catch (AmazonS3Exception e)
        {
            throw new BackupException($"{Name} does not let the appliance {what} it ({e.ErrorCode}, {(int)e.StatusCode}): {e.Message}{(e.StatusCode == HttpStatusCode.Forbidden ? "; give its role s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket" : "")}", e);
        }
        catch (Exception e) when (e is AmazonClientException or HttpRequestException or NoAwsCredentialsException or AwsException or IOException)
        {
            throw new BackupException($"{Name} cannot be reached to {what} it: {e.Message}", e);
        }
    }
}
