using System.Formats.Tar;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text.Json;
using Provisioner.Backup.Age;
using Provisioner.Storage;

namespace Provisioner.Backup;

/// <summary>What came of a backup.</summary>
/// <param name="Bytes">The file's length.</param>
/// <param name="Sha256">Of the file as it is, encrypted; lower-case hexadecimal.</param>
internal sealed record BackupOutcome(BackupManifest Manifest, long Bytes, string Sha256);

/// <summary>
/// A backup as a stream of bytes: a tar archive (pax) with the manifest first, inside a file of age. It is verified while it is written: what leaves is
/// decrypted again, restored into a scratch directory, and the database there is opened.
/// </summary>
internal static class BackupArchive
{
    /// <summary>A manifest names every file; a hundred thousand of them fit.</summary>
    private const int MostManifest = 32 * 1024 * 1024;

    public static JsonSerializerOptions Json { get; } = new(RecordJson.Options) { WriteIndented = true };

    /// <param name="output">Stays open.</param>
    /// <param name="scratch">A directory for the trial, on a disk with room for the database; it is made and removed.</param>
    /// <exception cref="BackupException">It is not the same when it is read back, or something changed while it was read.</exception>
    public static async Task<BackupOutcome> WriteAsync(BackupContents contents, Stream output, AgeLock to, string scratch, CancellationToken ct)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var pipe = new Pipe();
        await using var tee = new Tee(output, pipe.Writer);
        await using var age = await AgeWriter.BeginAsync(tee, to, ct);
        var trial = Task.Run(() => TryAsync(pipe.Reader, age.FileKey, contents.Manifest, scratch, both.Token), CancellationToken.None);
        try
        {
            await WriteEntriesAsync(contents, age, ct);
            await age.CompleteAsync(ct);
            await pipe.Writer.CompleteAsync();
            await trial;
            return new BackupOutcome(contents.Manifest, tee.Written, tee.Sha256());
        }
        catch (Exception e)
        {
            await both.CancelAsync();
            await pipe.Writer.CompleteAsync(e);
            // Whatever the trial says then, the first reason counts; unless it was the trial that found it.
            var found = await Record(trial);
            if (e is TrialEndedException && found is not null and not OperationCanceledException)
                throw found is BackupException ? found : new BackupException($"the backup cannot be read back: {found.Message}", found);
            throw;
        }
    }

    /// <summary>Reads a backup into a directory: the data directory as it was, and what else is in it beside. Everything is compared with the manifest.</summary>
    /// <param name="archive">Decrypted.</param>
    /// <param name="directory">Empty. Gets <c>data</c>, and <c>configuration.yaml</c> when there is one.</param>
    /// <param name="keepImages">Without, the files of images are read and compared only.</param>
    /// <exception cref="BackupException">It is no backup, or it is damaged.</exception>
    /// <exception cref="AgeException">It is damaged.</exception>
    public static async Task<BackupManifest> ExtractAsync(Stream archive, string directory, bool keepImages, CancellationToken ct)
    {
        try
        {
            await using var tar = new TarReader(archive, leaveOpen: true);
            var manifest = await ReadManifestAsync(tar, ct);
            var missing = manifest.Files.ToDictionary(f => f.Path, StringComparer.Ordinal);
            Directory.CreateDirectory(Path.Combine(directory, "data"), PrivateDirectory);
            while (await tar.GetNextEntryAsync(copyData: false, ct) is { } entry)
            {
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || !missing.Remove(entry.Name, out var file))
                    throw new BackupException($"it is damaged: '{Resources.Reading.Shorten(entry.Name)}' is in it twice, or is no file that its manifest names");
                await ExtractAsync(entry, file, file.IsImage && !keepImages ? null : PathOf(directory, file.Path), ct);
            }
            // To its very end: only there is it known that nothing was cut off.
            await archive.CopyToAsync(Stream.Null, ct);
            return missing.Count == 0 ? manifest : throw new BackupException($"it is cut short: {missing.Count} of its {manifest.Files.Length} files are not in it");
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new BackupException("what is in it is not an archive of a backup", e);
        }
    }

    /// <summary>Opens the database of a directory that was extracted, as the service will, and compares it with the manifest.</summary>
    /// <param name="withMore">Its journal goes on after the backup: there may be more certificates.</param>
    /// <exception cref="BackupException">It does not open, or holds something else.</exception>
    public static void Verify(string data, BackupManifest manifest, bool withMore = false)
    {
        try
        {
            using (var store = LiteDbStore.Open(data))
            {
                var snapshot = store.LoadSnapshot();
                if (snapshot.Hosts.Count != manifest.Hosts || !withMore && (snapshot.Certificates.Count, snapshot.Authorities.Count) != (manifest.Certificates, manifest.Authorities))
                {
                    throw new BackupException($"its database holds {snapshot.Hosts.Count} hosts, {snapshot.Certificates.Count} certificates and {snapshot.Authorities.Count} authorities, and its manifest says "
                        + $"{manifest.Hosts}, {manifest.Certificates} and {manifest.Authorities}");
                }
                if (store.FindDamage() is { } damage)
                    throw new BackupException($"its database is damaged: {damage}");
            }
            // They are of the process that looked.
            File.Delete(Path.Combine(data, "provisioner.lock"));
            File.Delete(Path.Combine(data, "provisioner.pid"));
        }
        catch (StoreException e)
        {
            throw new BackupException($"its database cannot be opened: {e.Message}", e);
        }
    }

    internal const UnixFileMode PrivateDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static async Task WriteEntriesAsync(BackupContents contents, AgeWriter age, CancellationToken ct)
    {
        await using var tar = new TarWriter(age, TarEntryFormat.Pax, leaveOpen: true);
        await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, BackupManifest.EntryName)
        {
            DataStream = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(contents.Manifest, Json)),
            ModificationTime = contents.Manifest.At,
        }, ct);
        foreach (var file in contents.Manifest.Files)
        {
            await using var content = File.OpenRead(contents.Sources[file.Path]);
            if (content.Length != file.Size)
                throw new BackupException($"{file.Path} changed while the backup was made: make it again");
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, file.Path) { DataStream = content, ModificationTime = contents.Manifest.At, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite }, ct);
        }
    }

    private static async Task TryAsync(PipeReader pipe, byte[] fileKey, BackupManifest expected, string scratch, CancellationToken ct)
    {
        try
        {
            Directory.CreateDirectory(scratch, PrivateDirectory);
            await using var age = await AgeReader.OpenAsync(pipe.AsStream(leaveOpen: true), fileKey, ct);
            var manifest = await ExtractAsync(age, scratch, keepImages: false, ct);
            if (manifest.Files.Length != expected.Files.Length)
                throw new BackupException("another manifest was read back");
            Verify(Path.Combine(scratch, "data"), manifest);
        }
        finally
        {
            // Whoever writes hears of it at the next write.
            await pipe.CompleteAsync();
            if (Directory.Exists(scratch))
                Directory.Delete(scratch, recursive: true);
        }
    }

    private static async Task<BackupManifest> ReadManifestAsync(TarReader tar, CancellationToken ct)
    {
        if (await tar.GetNextEntryAsync(copyData: false, ct) is not { Name: BackupManifest.EntryName, DataStream: { } data, Length: <= MostManifest })
            throw new BackupException("it is not a backup of an appliance: its first entry is no manifest");
        BackupManifest? manifest;
        try
        {
            manifest = await JsonSerializer.DeserializeAsync<BackupManifest>(data, Json, ct);
        }
        catch (JsonException e)
        {
            throw new BackupException("it is not a backup of an appliance: its manifest is not understood", e);
        }
        if (manifest?.Kind != BackupManifest.RightKind)
            throw new BackupException("it is not a backup of an appliance: its manifest says that it is something else");
        if (manifest.Format > BackupManifest.PresentFormat)
            throw new BackupException($"it was made by a newer version ({Resources.Reading.Shorten(manifest.Version)}, form {manifest.Format}; this one knows {BackupManifest.PresentFormat}): install that version first");
        foreach (var file in manifest.Files)
        {
            if (file.Path != BackupFile.Configuration && (!file.Path.StartsWith(BackupFile.DataPrefix, StringComparison.Ordinal) || !IsConfined(file.Path)))
                throw new BackupException($"it is damaged: its manifest names '{Resources.Reading.Shorten(file.Path)}', which is no path of a backup");
        }
        return manifest.Files.Select(f => f.Path).Distinct(StringComparer.Ordinal).Count() == manifest.Files.Length ? manifest : throw new BackupException("it is damaged: its manifest names a file twice");
    }

    private static bool IsConfined(string path) => path.Split('/').All(part => part is not ("" or "." or "..") && !part.Contains('\0', StringComparison.Ordinal));

    private static string PathOf(string directory, string path) => Path.Combine(directory, path);

    private static async Task ExtractAsync(TarEntry entry, BackupFile file, string? path, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        FileStream? target = null;
        long length = 0;
        try
        {
            if (path is not null)
            {
                MakeDirectories(Path.GetDirectoryName(path)!);
                target = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = (UnixFileMode)(file.Mode & 0b111_111_111) | UnixFileMode.UserWrite });
            }
            var buffer = new byte[128 * 1024];
            while (entry.DataStream is { } data && await data.ReadAsync(buffer, ct) is var read and > 0)
            {
                hash.AppendData(buffer, 0, read);
                length += read;
                if (target is not null)
                    await target.WriteAsync(buffer.AsMemory(0, read), ct);
            }
            if (length != file.Size || Convert.ToHexStringLower(hash.GetHashAndReset()) != file.Sha256)
                throw new BackupException($"it is damaged: {file.Path} is not what the manifest says (SHA-256)");
            target?.Flush(flushToDisk: true);
        }
        finally
        {
            if (target is not null)
                await target.DisposeAsync();
        }
    }

    // Directory.CreateDirectory gives its mode to the last one alone.
    private static void MakeDirectories(string directory)
    {
        if (Directory.Exists(directory))
            return;
        MakeDirectories(Path.GetDirectoryName(directory)!);
        Directory.CreateDirectory(directory, PrivateDirectory);
    }

    private static async Task<Exception?> Record(Task task)
    {
        try
        {
            await task;
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    /// <summary>The trial gave up before the end.</summary>
    private sealed class TrialEndedException() : Exception("the backup could not be read back");

    /// <summary>Writes to the file and to the trial, and sums up what it wrote.</summary>
    private sealed class Tee(Stream output, PipeWriter trial) : Stream
    {
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public long Written { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public string Sha256() => Convert.ToHexStringLower(hash.GetCurrentHash());

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await output.WriteAsync(buffer, cancellationToken);
            hash.AppendData(buffer.Span);
            Written += buffer.Length;
            if ((await trial.WriteAsync(buffer, cancellationToken)).IsCompleted)
                throw new TrialEndedException();
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => output.FlushAsync(cancellationToken);

        public override void Flush() => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                hash.Dispose();
            base.Dispose(disposing);
        }
    }
}
