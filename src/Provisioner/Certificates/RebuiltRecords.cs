using System.Globalization;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>What a rebuilt database knows.</summary>
/// <param name="Damaged">Where the database that could not be opened is now; null when there was none.</param>
/// <param name="WithoutKey">Authorities whose key's file is not there.</param>
internal sealed record RebuiltRecords(IReadOnlyList<Authority> Authorities, int Certificates, int Revoked, string? Damaged, IReadOnlyList<string> WithoutKey)
{
    private static readonly string[] DatabaseFiles = ["provisioner.db", "provisioner-log.db", "provisioner.sequence"];

    /// <summary>Fills a new database from the certificates' journal alone: every authority, and every certificate that was ever issued or revoked.</summary>
    /// <param name="directory">The data directory; made when it is missing.</param>
    /// <param name="journal">Another journal than the directory's own; null for that.</param>
    /// <exception cref="StoreException">The journal is damaged, a service works there, or the database is whole. Nothing was changed.</exception>
    public static RebuiltRecords From(string directory, string? journal, DateTimeOffset now)
    {
        var own = Path.Combine(directory, "certificates.journal");
        if (!File.Exists(journal ?? own))
            throw new StoreException($"there is no journal {journal ?? own}: name it with --journal");
        if (journal is not null && File.Exists(own) && Path.GetFullPath(journal) != Path.GetFullPath(own))
            throw new StoreException($"there is a journal in {directory} already: name an empty directory, or leave --journal out");
        if (File.Exists(Path.Combine(directory, "provisioner.db")) && LiteDbStore.Inspect(directory) is null)
            throw new StoreException($"the database in {directory} is whole: there is nothing to rebuild");
        Check(journal ?? own);
        var damaged = Prepare(directory, journal, own, now);
        using var store = LiteDbStore.Open(directory);
        var snapshot = store.LoadSnapshot();
        return new RebuiltRecords([.. snapshot.Authorities.Values.OrderBy(a => a.CreatedAt)], snapshot.Certificates.Count, snapshot.Revoked.Count, damaged,
            [.. snapshot.Authorities.Values.Where(a => a.KeyStore == "file" && a.State != AuthorityState.Retired && !File.Exists(Path.Combine(directory, "ca", "keys", $"{a.Id}.key"))).Select(a => a.Id)]);
    }

    // Read to its end before anything moves.
    private static void Check(string journal)
    {
        using var opened = RecordJournal.Open(journal);
        if (!opened.Read(after: 0).Any(line => line.Records.Count > 0))
            throw new StoreException($"{journal} holds no authority and no certificate");
        foreach (var _ in opened.Read(after: 0))
        {
            // Each line is checked as it is read.
        }
    }

    private static string? Prepare(string directory, string? journal, string own, DateTimeOffset now)
    {
        try
        {
            if (!Directory.Exists(directory))
                Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using (DirectoryLock.Take(directory))
            {
                if (!File.Exists(own))
                    File.Copy(journal!, own);
                var suffix = $"damaged-{now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}";
                string? aside = null;
                foreach (var name in DatabaseFiles.Where(n => File.Exists(Path.Combine(directory, n))))
                {
                    var to = Path.Combine(directory, $"{name}.{suffix}");
                    File.Move(Path.Combine(directory, name), to);
                    aside = name == "provisioner.db" ? to : aside;
                }
                DirectorySync.Flush(directory);
                return aside;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{directory} cannot be prepared: {e.Message}", e);
        }
    }
}
