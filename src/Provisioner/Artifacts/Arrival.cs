using Microsoft.Win32.SafeHandles;

namespace Provisioner.Artifacts;

/// <summary>
/// A file of known length while it arrives, read by any number of clients from the disk's cache behind the one who writes it. Its last
/// octets are shown only when all of it was checked: whoever has the last octet has the right file, and when the check fails nobody has
/// a whole one.
/// </summary>
internal sealed class Arrival(long length, SafeFileHandle file, int holdBack)
{
    private readonly Lock gate = new();
    private long shown;
    private string? broken;
    private int users = 1;
    private TaskCompletionSource changed = NewSignal();

    public long Length => length;

    /// <summary>The writer: so much of it is in the file.</summary>
    public void Advance(long received) => Change(() => shown = Math.Max(shown, Math.Min(received, length - holdBack)));

    /// <summary>The writer: all of it was checked.</summary>
    public void Finish() => Change(() => shown = length);

    /// <summary>The writer: nothing more comes, or what came was wrong.</summary>
    public void Break(string reason) => Change(() => broken = reason);

    /// <summary>A reader begins; it ends with <see cref="Release"/>.</summary>
    /// <returns>False when the file was given up already.</returns>
    public bool TryAttach()
    {
        lock (gate)
        {
            if (users == 0)
                return false;
            users++;
            return true;
        }
    }

    /// <summary>A reader, or the writer, is done with it; the last one closes the file.</summary>
    public void Release()
    {
        lock (gate)
        {
            if (--users == 0)
                file.Dispose();
        }
    }

    /// <summary>Waits until something after that position may be read.</summary>
    /// <returns>How much may be read in all.</returns>
    /// <exception cref="IOException">The file broke; says why.</exception>
    public async ValueTask<long> WaitBeyondAsync(long position, CancellationToken cancellation)
    {
        while (true)
        {
            Task next;
            lock (gate)
            {
                if (broken is not null)
                    throw new IOException(broken);
                if (shown > position)
                    return shown;
                next = changed.Task;
            }
            await next.WaitAsync(cancellation);
        }
    }

    public int Read(Span<byte> buffer, long position) => RandomAccess.Read(file, buffer, position);

    private void Change(Action what)
    {
        TaskCompletionSource before;
        lock (gate)
        {
            what();
            (before, changed) = (changed, NewSignal());
        }
        before.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
