using System.Globalization;

namespace Provisioner.Backup;

/// <summary>One backup that is kept somewhere.</summary>
/// <param name="Name">As <see cref="BackupNames"/> makes it.</param>
internal sealed record KeptBackup(string Name, DateTimeOffset At, long Bytes);

/// <summary>The names of backups made on a schedule. They tell when, so that nothing else has to remember.</summary>
internal static class BackupNames
{
    public const string Extension = ".tar.age";

    private const string Prefix = "provisioner-", TimeFormat = "yyyyMMdd'T'HHmmss'Z'";

    public static string At(DateTimeOffset time) => $"{Prefix}{time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture)}{Extension}";

    /// <summary>Null for the name of something else: it is nobody's to remove.</summary>
    public static DateTimeOffset? TimeOf(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Extension, StringComparison.Ordinal) && name.Length > Prefix.Length + Extension.Length
        && DateTimeOffset.TryParseExact(name[Prefix.Length..^Extension.Length], TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at) ? at : null;
}

/// <summary>Which backups have to go.</summary>
internal static class BackupRetention
{
    /// <summary>All beyond the newest <paramref name="keep"/>, and those older than <paramref name="keepFor"/>; never the newest one.</summary>
    public static IEnumerable<KeptBackup> ToRemove(IEnumerable<KeptBackup> kept, int keep, TimeSpan keepFor, DateTimeOffset now) =>
        kept.OrderByDescending(b => b.At).Select((backup, index) => (backup, index)).Where(b => b.index > 0 && (b.index >= keep || now - b.backup.At > keepFor)).Select(b => b.backup);
}
