using System.Collections.Immutable;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>How far an import is.</summary>
public enum ImportStage
{
    /// <summary>Its bytes come in.</summary>
    Receiving,

    /// <summary>What it is, and whether it is whole, is looked at.</summary>
    Checking,

    /// <summary>Its files are taken out of it.</summary>
    Unpacking,

    /// <summary>They are written to the disk for good, and registered.</summary>
    Storing,

    /// <summary>It is an image.</summary>
    Done,

    /// <summary>It was not taken; nothing of it is kept.</summary>
    Refused,

    /// <summary>It ended before it was whole; nothing of it is kept.</summary>
    BrokenOff,
}

/// <summary>An import as it is now, or as it ended.</summary>
/// <param name="Image">The image's name.</param>
/// <param name="Actor">Who imports it.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="Stage">How far it is.</param>
/// <param name="Bytes">How many bytes of this stage are done.</param>
/// <param name="Of">How many there are; null where nobody knows.</param>
/// <param name="Said">Why it was not taken.</param>
public sealed record ImportStatus(string Image, string? Actor, DateTimeOffset StartedAt, ImportStage Stage, long Bytes, long? Of, string? Said)
{
    /// <summary>It goes on.</summary>
    public bool Runs => Stage < ImportStage.Done;

    /// <summary>From 0 to 100; null where it is not known how much there is.</summary>
    public int? Percent => Of is > 0 and { } of ? (int)Math.Min(100, Bytes * 100 / of) : null;
}

/// <summary>The imports that go on, and the last that ended: whoever sent one and lost the answer, or looks from elsewhere, sees how it stands.</summary>
internal sealed class ImageImports(TimeProvider time)
{
    /// <summary>How many that ended are remembered, until the service is started again.</summary>
    private const int Remembered = 20;

    private ImmutableList<RunningImport> all = [];

    /// <summary>The newest first.</summary>
    public IReadOnlyList<ImportStatus> All => [.. all.Select(i => i.Status)];

    /// <summary>Runs an import and keeps how it stands and how it ended.</summary>
    /// <param name="image">Its name.</param>
    /// <param name="actor">Who imports it.</param>
    /// <param name="announcedBytes">How much is to come; null when the sender does not say.</param>
    /// <param name="import">Says how far it is.</param>
    /// <param name="cancellation">The sender went away.</param>
    public async Task<Image> FollowAsync(string image, string? actor, long? announcedBytes, Func<RunningImport, Task<Image>> import, CancellationToken cancellation)
    {
        var running = new RunningImport(image, actor, time.GetUtcNow(), announcedBytes);
        ImmutableInterlocked.Update(ref all, (known, added) => known.Insert(0, added).RemoveAll(i => !i.Status.Runs && known.IndexOf(i) >= Remembered), running);
        try
        {
            var imported = await import(running);
            running.End(ImportStage.Done, null);
            return imported;
        }
        catch (ChangeRefusedException refused)
        {
            running.End(ImportStage.Refused, refused.Message);
            throw;
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            running.End(ImportStage.BrokenOff, "It was cancelled, or the connection broke, before all of it was here.");
            throw;
        }
        catch (Exception e)
        {
            running.End(ImportStage.BrokenOff, $"The service failed at it: {Texts.OneLine(e.Message, 300)} Its log has the details.");
            throw;
        }
    }
}

/// <summary>An import that goes on.</summary>
internal sealed class RunningImport(string image, string? actor, DateTimeOffset startedAt, long? announcedBytes)
{
    private readonly Lock gate = new();
    private ImportStage stage = ImportStage.Receiving;
    private long bytes;
    private long? of = announcedBytes;
    private string? said;

    /// <summary>How it stands.</summary>
    public ImportStatus Status
    {
        get
        {
            lock (gate)
                return new(image, actor, startedAt, stage, bytes, of, said);
        }
    }

    /// <summary>The next stage begins.</summary>
    /// <param name="next">Which.</param>
    /// <param name="ofBytes">How much there is to do in it; null where nobody knows.</param>
    public void Begin(ImportStage next, long? ofBytes = null)
    {
        lock (gate)
            (stage, bytes, of) = (next, 0, ofBytes);
    }

    /// <summary>It is over.</summary>
    public void End(ImportStage how, string? why)
    {
        lock (gate)
            (stage, said) = (how, why);
    }

    /// <summary>The same stream; what is read of it is done.</summary>
    public Stream Counting(Stream stream) => new Counted(stream, this);

    private void Add(int read)
    {
        lock (gate)
            bytes += read;
    }

    private sealed class Counted(Stream inner, RunningImport import) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            import.Add(read);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = inner.Read(buffer, offset, count);
            import.Add(read);
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
