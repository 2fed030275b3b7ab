using System.Security.Cryptography;
using Provisioner.Appliance;
using Provisioner.Images;
using Provisioner.Storage;

namespace Provisioner.Backup;

/// <summary>
/// What goes into a backup, set aside so that it stays as it was at one moment: the database, the journal and the keys are copied between two changes.
/// </summary>
internal sealed class BackupContents : IDisposable
{
    /// <summary>Beside the database, which is copied by itself; what the service fetches or says again; and what belongs to one process.</summary>
    private static readonly string[] LeftOut = ["images", "artifacts", "backups", "logs", "answers", "provisioner.lock", "provisioner.pid", "provisioner.sock", "provisioner.sequence", "certificates.journal"];

    /// <summary>Keys go with the database: one that it names is in the backup, too.</summary>
    private static readonly string[] WithDatabase = ["ca", "seeds"];

    private const string StagingPrefix = ".backup-";

    private readonly string staging;

    private BackupContents(string staging, BackupManifest manifest, IReadOnlyDictionary<string, string> sources) => (this.staging, Manifest, Sources) = (staging, manifest, sources);

    public BackupManifest Manifest { get; }

    /// <summary>Where each file of the manifest is read from.</summary>
    public IReadOnlyDictionary<string, string> Sources { get; }

    /// <param name="images">With the files of all images.</param>
    /// <exception cref="StoreException">The database is damaged, or there is no room for a copy of it.</exception>
    /// <exception cref="BackupException">Something cannot be read.</exception>
    public static async Task<BackupContents> GatherAsync(ApplianceOptions options, IStore store, StateWriter writer, CurrentState state, ImageStore imageStore, bool images, DateTimeOffset now, CancellationToken ct)
    {
        var data = Path.GetFullPath(options.DataDirectory);
        var copy = Path.Combine(data, $"{StagingPrefix}{Guid.NewGuid():N}");
        try
        {
            RemoveLeftovers(data);
            Directory.CreateDirectory(copy, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var (changes, snapshot) = await writer.BetweenChangesAsync(() =>
            {
                var copied = store.CopyTo(copy);
                foreach (var name in WithDatabase.Where(n => Directory.Exists(Path.Combine(data, n))))
                    CopyDirectory(Path.Combine(data, name), Path.Combine(copy, name));
                return (copied, state.Snapshot);
            }, ct);
            foreach (var entry in new DirectoryInfo(data).EnumerateFileSystemInfos())
            {
                if (LeftOut.Contains(entry.Name, StringComparer.Ordinal) || WithDatabase.Contains(entry.Name, StringComparer.Ordinal) || entry.Name.StartsWith('.') || entry.Name.StartsWith(Restore.AsidePrefix, StringComparison.Ordinal) || entry.Name.StartsWith("provisioner.db", StringComparison.Ordinal)
                    || entry.Name == "provisioner-log.db" || entry.Name == "lost+found")
                    continue;
                if (entry is DirectoryInfo { LinkTarget: null })
                    CopyDirectory(entry.FullName, Path.Combine(copy, entry.Name));
                else if (entry is FileInfo file && IsPlain(file))
                    File.Copy(file.FullName, Path.Combine(copy, entry.Name));
            }
            var sources = new SortedDictionary<string, string>(StringComparer.Ordinal);
            var files = new List<BackupFile>();
            foreach (var path in Directory.EnumerateFiles(copy, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }).Order(StringComparer.Ordinal))
                await AddAsync(BackupFile.DataPrefix + Path.GetRelativePath(copy, path), path);
            if (options.ConfigurationFile is { } configuration && File.Exists(configuration))
                await AddAsync(BackupFile.Configuration, configuration);
            if (images)
                AddImages(snapshot, imageStore, files, sources);
            return new BackupContents(copy, new BackupManifest
            {
                Kind = BackupManifest.RightKind,
                Format = BackupManifest.PresentFormat,
                Version = ApplianceStatus.Version,
                At = now,
                Appliance = Environment.MachineName,
                Changes = changes,
                Hosts = snapshot.Hosts.Count,
                Certificates = snapshot.Certificates.Count,
                Authorities = snapshot.Authorities.Count,
                Files = [.. files],
                Images = [.. snapshot.Images.Values.Where(i => i.Status.Generation is not null).Select(i => new BackupImage(i.Name, i.Status.Files.Length, i.Status.Files.Sum(f => f.Size), images))],
                Needs = [.. Needs(options, snapshot)],
            }, sources);

            async Task AddAsync(string name, string path)
            {
                await using var file = File.OpenRead(path);
                files.Add(new BackupFile(name, file.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(file, ct)), (int)File.GetUnixFileMode(file.SafeFileHandle)));
                sources[name] = path;
            }
        }
        catch (Exception e)
        {
            Remove(copy);
            if (e is IOException or UnauthorizedAccessException)
                throw new BackupException($"what is to go into the backup cannot be read or copied: {e.Message}", e);
            throw;
        }
    }

    public void Dispose() => Remove(staging);

    private static void AddImages(Snapshot snapshot, ImageStore store, List<BackupFile> files, SortedDictionary<string, string> sources)
    {
        foreach (var image in snapshot.Images.Values.Where(i => i.Status.Generation is not null))
        {
            foreach (var file in image.Status.Files)
            {
                var path = store.PathOf(image, file);
                var name = $"{BackupFile.DataPrefix}images/{Path.GetRelativePath(store.Root, path)}";
                if (new FileInfo(path) is not { Exists: true } there || there.Length != file.Size)
                    throw new BackupException($"image {image.Name} is not whole ({file.Path} is missing or of another size): import it again, or make the backup without images");
                files.Add(new BackupFile(name, file.Size, file.Sha256, (int)File.GetUnixFileMode(path)));
                sources[name] = path;
            }
        }
    }

    // Whoever keeps a secret apart from the data wants it apart from the backup as well.
    private static IEnumerable<string> Needs(ApplianceOptions options, Snapshot snapshot)
    {
        if (snapshot.Authorities.Values.Any(a => a.KeyStore == "pkcs11"))
            yield return "An authority's key is in a PKCS#11 token: the token has to be brought along.";
        if (snapshot.Authorities.Values.Any(a => a.KeyStore == "file") && !File.Exists(Path.Combine(options.DataDirectory, "ca", "passphrase")))
            yield return options.Ca.Keys.PassphraseFile is { } file
                ? $"The CA's keys are encrypted with a passphrase that is kept apart, in {file}: bring that file."
                : "The CA's keys are encrypted with a passphrase that is kept apart, as a credential of systemd: bring it.";
    }

    private static void CopyDirectory(string from, string to)
    {
        Directory.CreateDirectory(to, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var entry in new DirectoryInfo(from).EnumerateFileSystemInfos())
        {
            try
            {
                if (entry is DirectoryInfo { LinkTarget: null })
                    CopyDirectory(entry.FullName, Path.Combine(to, entry.Name));
                else if (entry is FileInfo file && IsPlain(file))
                    File.Copy(file.FullName, Path.Combine(to, entry.Name));
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                // Gone since it was listed, as files that are renamed into place are.
            }
        }
    }

    // A link to a file is taken as the file; sockets are of one process.
    private static bool IsPlain(FileInfo file) => file.Extension is not (".sock" or ".tmp" or ".new") && (file.LinkTarget is null || file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Exists: true });

    /// <summary>What a service that was killed left.</summary>
    private static void RemoveLeftovers(string data)
    {
        foreach (var leftover in Directory.EnumerateDirectories(data, StagingPrefix + "*").Where(d => Directory.GetLastWriteTimeUtc(d) < TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-1)).ToList())
            Remove(leftover);
    }

    private static void Remove(string directory)
    {
        try
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next backup tries again.
        }
    }
}
