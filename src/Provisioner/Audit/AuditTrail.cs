using System.Text;
using Provisioner.Storage;

namespace Provisioner.Audit;

/// <summary>What a check of a trail found.</summary>
/// <param name="Entries">So many are right.</param>
/// <param name="Head">The hash of the last; noted elsewhere, it shows later whether what was there then still is.</param>
/// <param name="Wrong">The first thing that is wrong; null when all is right.</param>
internal sealed record AuditVerification(long Entries, string Head, string? Wrong);

/// <summary>
/// Who changed what: <c>audit.jsonl</c> in the data directory, to which the store adds a line for each change in the same commit. The file is what
/// counts; the database holds a line only until the file has it.
/// </summary>
internal sealed class AuditTrail : IDisposable
{
    public const string FileName = "audit.jsonl";

    private readonly AppendOnlyFile file;

    private AuditTrail(AppendOnlyFile file, long last, string head)
    {
        this.file = file;
        (Last, Head) = (last, head);
    }

    /// <summary>The number of the last entry that is in the file.</summary>
    public long Last { get; private set; }

    /// <summary>And its hash.</summary>
    public string Head { get; private set; }

    /// <exception cref="StoreException">It cannot be opened, or its end is damaged, so that nothing can follow it.</exception>
    public static AuditTrail Open(string directory)
    {
        var path = Path.Combine(directory, FileName);
        var opened = AppendOnlyFile.Open(path);
        if (opened.LastLine is null)
            return new(opened, 0, AuditLine.Origin);
        if (AuditLine.TryParse(opened.LastLine, out var wrong) is { } line)
            return new(opened, line.Sequence, line.Hash);
        opened.Dispose();
        throw new StoreException($"{path} is damaged in its last line ({wrong}): bring the file back from a backup, or move it away, which begins a new trail and is seen as that");
    }

    /// <summary>Adds what <see cref="AuditLine"/>.Write made, in order.</summary>
    /// <exception cref="IOException">None of them was added.</exception>
    public void Append(IReadOnlyList<AuditLine> lines)
    {
        if (lines.Count == 0)
            return;
        file.Append(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line.Text + "\n"))));
        (Last, Head) = (lines[^1].Sequence, lines[^1].Hash);
    }

    public void Dispose() => file.Dispose();

    /// <summary>Checks every line of a trail or of a part of one.</summary>
    public static AuditVerification Verify(IEnumerable<string> trail)
    {
        var (entries, head, number) = (0L, AuditLine.Origin, 0L);
        AuditLine? before = null;
        foreach (var text in trail)
        {
            number++;
            if (AuditLine.TryParse(text, out var wrong) is not { } line)
                return new(entries, head, $"line {number}: {wrong}");
            if (before is not null && line.Sequence != before.Sequence + 1)
                return new(entries, head, $"line {number}: entry {line.Sequence} follows entry {before.Sequence}: what was between is missing");
            if (before is not null && line.Previous != before.Hash)
                return new(entries, head, $"line {number}: entry {line.Sequence} was written after another entry {before.Sequence} than is there now");
            if (before is null && line.Sequence == 1 && line.Previous != AuditLine.Origin)
                return new(entries, head, $"line {number}: the first entry names one before it");
            (before, head, entries) = (line, line.Hash, entries + 1);
        }
        return new(entries, head, null);
    }
}
