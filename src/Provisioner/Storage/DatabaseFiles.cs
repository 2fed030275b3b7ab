namespace Provisioner.Storage;

/// <summary>
/// The data file and the log that LiteDB works on, opened here to keep the order between them: nothing is written into the data file
/// before the log is on the disk.
/// </summary>
/// <remarks>
/// <para>LiteDB 5.0.20 writes its log from a background queue and calls fsync whenever that queue is empty, which on a fast machine is
/// after every page: sixty times for a commit of sixty certificates. While <see cref="Hold"/> is in force these are left out; the one
/// that counts is made when the checkpoint begins.</para>
/// <para>The same queue says that it is empty before its last fsync (DiskWriterQueue.ExecuteQueue), so that a checkpoint may begin to
/// overwrite the data file while the log is not yet on the disk. Here it cannot.</para>
/// <para>And it ends for good when a write fails, as on a full disk, without telling those who wait for it (DiskWriterQueue.Wait): they would
/// wait for ever. So a log that cannot be written takes everything and writes nothing more, and says so in <see cref="LogProblem"/>; nothing
/// of it goes into the data file, and the engine is to be closed.</para>
/// </remarks>
internal sealed class DatabaseFiles : IDisposable
{
    private readonly string logPath;
    private readonly LogFile log;
    private readonly DataFile data;

    /// <summary>Opens both, or makes them.</summary>
    /// <exception cref="IOException">One of them cannot be opened.</exception>
    public DatabaseFiles(string path)
    {
        // The name LiteDB gives it (FileHelper.GetLogFile), so that it finds what it wrote itself.
        logPath = Path.Combine(Path.GetDirectoryName(path)!, $"{Path.GetFileNameWithoutExtension(path)}-log{Path.GetExtension(path)}");
        log = new LogFile(logPath);
        try
        {
            data = new DataFile(path, log);
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    public Stream Data => data;

    public Stream Log => log;

    /// <summary>Whether all that was written into the log has been synchronised.</summary>
    public bool LogIsOnDisk => log.IsOnDisk;

    /// <summary>Why the log holds less than it was given; null while it holds all.</summary>
    public Exception? LogProblem => log.Problem;

    /// <summary>From now on the log is not synchronised page by page, because a checkpoint ends what begins here.</summary>
    public void Hold() => log.Hold();

    /// <summary>Ends it; what no checkpoint has taken up is synchronised now.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public void Release() => log.Release();

    /// <summary>Closes both, after LiteDB has been closed; an empty log is removed.</summary>
    public void Dispose()
    {
        var isEmpty = log.TryClose();
        data.Dispose();
        if (isEmpty)
            File.Delete(logPath);
    }

    // Without a buffer: LiteDB writes whole pages, and flushes from another thread than it writes.
    private class PlainFile(string path) : FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0, FileOptions.RandomAccess)
    {
        // LiteDB asks a stream that it did not open for no more than Flush.
        public override void Flush() => Flush(flushToDisk: true);
    }

    private sealed class DataFile(string path, LogFile log) : PlainFile(path)
    {
        public override void Write(byte[] buffer, int offset, int count)
        {
            log.Synchronise();
            if (log.Problem is { } problem)
                throw new IOException($"the log could not be written: {problem.Message}", problem);
            base.Write(buffer, offset, count);
        }
    }

    private sealed class LogFile(string path) : PlainFile(path)
    {
        private readonly Lock gate = new();
        private bool held;
        private bool isOnDisk = true;
        private Exception? problem;

        public Exception? Problem
        {
            get
            {
                lock (gate)
                    return problem;
            }
        }

        public bool IsOnDisk
        {
            get
            {
                lock (gate)
                    return isOnDisk;
            }
        }

        public void Hold()
        {
            lock (gate)
                held = true;
        }

        public void Release()
        {
            lock (gate)
            {
                held = false;
                Synchronise();
            }
        }

        public void Synchronise()
        {
            lock (gate)
            {
                if (isOnDisk || problem is not null)
                    return;
                try
                {
                    Flush(flushToDisk: true);
                    isOnDisk = true;
                }
                catch (IOException e)
                {
                    problem = e;
                }
            }
        }

        /// <returns>Whether it is empty.</returns>
        public bool TryClose()
        {
            lock (gate)
            {
                var isEmpty = CanRead && Length == 0;
                Dispose();
                return isEmpty;
            }
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            lock (gate)
            {
                // After one that is missing, another must not be there: the last one of a transaction stands for all of it.
                if (problem is not null)
                    return;
                isOnDisk = false;
                var begin = Position;
                try
                {
                    base.Write(buffer, offset, count);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    problem = e;
                    Position = begin + count;
                }
            }
        }

        public override void SetLength(long value)
        {
            lock (gate)
            {
                base.SetLength(value);
                // Emptied by the checkpoint: if it comes back after a power failure, the same is done once more.
                isOnDisk |= value == 0;
            }
        }

        public override void Flush()
        {
            lock (gate)
            {
                if (!held)
                    Synchronise();
            }
        }
    }
}
