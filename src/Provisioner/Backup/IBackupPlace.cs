using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Amazon.S3.Transfer;
using Provisioner.Aws;
using Provisioner.Aws.Clients;
using Provisioner.Storage;

namespace Provisioner.Backup;

/// <summary>Where backups are kept.</summary>
internal interface IBackupPlace
{
    /// <summary>For people, such as a path or <c>s3://BUCKET/PREFIX</c>.</summary>
    string Name { get; }

    /// <exception cref="BackupException">It cannot be asked.</exception>
    Task<IReadOnlyList<KeptBackup>> ListAsync(CancellationToken ct);

    /// <exception cref="BackupException">It was not removed.</exception>
    Task RemoveAsync(KeptBackup backup, CancellationToken ct);
}

/// <summary>A directory of this machine.</summary>
internal sealed class BackupDirectory(string path) : IBackupPlace
{
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public string Name => path;

    public string PathOf(string name) => Path.Combine(path, name);

    public Task<IReadOnlyList<KeptBackup>> ListAsync(CancellationToken ct) => Task.FromResult(List());

    public IReadOnlyList<KeptBackup> List()
    {
        try
        {
            return !Directory.Exists(path) ? [] : [.. new DirectoryInfo(path).EnumerateFiles().Select(f => (File: f, At: BackupNames.TimeOf(f.Name))).Where(f => f.At is not null).Select(f => new KeptBackup(f.File.Name, f.At!.Value, f.File.Length))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"the backups in {path} cannot be listed: {e.Message}", e);
        }
    }

    /// <summary>Writes a file there: beside its place first, on the disk, then renamed. Whatever happens in between, there is the whole file or none.</summary>
    public async Task<T> WriteAsync<T>(string name, Func<Stream, Task<T>> write)
    {
        try
        {
            if (!Directory.Exists(path))
                Directory.CreateDirectory(path, OwnerAlone | UnixFileMode.UserExecute);
            return await WriteFileAsync(PathOf(name), write);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"the backup cannot be written into {path}: {e.Message}", e);
        }
    }

    /// <inheritdoc cref="WriteAsync"/>
    public static async Task<T> WriteFileAsync<T>(string path, Func<Stream, Task<T>> write)
    {
        var beside = path + ".new";
        try
        {
            T result;
            await using (var file = new FileStream(beside, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = OwnerAlone, Options = FileOptions.Asynchronous }))
            {
                result = await write(file);
                file.Flush(flushToDisk: true);
            }
            File.Move(beside, path, overwrite: true);
            DirectorySync.Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
            return result;
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    public Task RemoveAsync(KeptBackup backup, CancellationToken ct)
    {
        try
        {
            File.Delete(PathOf(backup.Name));
            return Task.CompletedTask;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"{PathOf(backup.Name)} cannot be removed: {e.Message}", e);
        }
    }
}

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
