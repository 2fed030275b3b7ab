using System.Diagnostics;
using System.Text;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>
/// libarchive's <c>bsdtar</c>, which turns an ISO image into a tar stream. It reads what nobody vouched for, so it is a process of its
/// own that writes nowhere but into a pipe, and gets a limit of time and of output.
/// </summary>
internal sealed class Bsdtar(TimeProvider time)
{
    private const int LongestComplaint = 4096;

    private static readonly string[] Directories = ["/usr/bin", "/usr/local/bin", "/bin"];

    /// <summary>How long it may take to its next byte.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Path of the program; null when it is not installed.</summary>
    public static string? Find() => Directories.Select(d => Path.Combine(d, "bsdtar")).FirstOrDefault(File.Exists);

    /// <summary>Reads an ISO image as a tar stream.</summary>
    /// <param name="iso">Absolute path.</param>
    /// <param name="only">Paths inside it; all of it when empty.</param>
    /// <param name="maximum">The most it may write, in bytes.</param>
    /// <param name="read">Takes the stream, and need not read it to its end.</param>
    /// <exception cref="ChangeRefusedException">It is not installed, or finds the image damaged, or exceeds a limit.</exception>
    public async Task<T> ReadAsync<T>(string iso, IEnumerable<string> only, long maximum, Func<Stream, Task<T>> read, CancellationToken cancellation)
    {
        var program = Find() ?? throw new ChangeRefusedException(RefusalKind.Invalid,
            "ISO images are read by bsdtar, which is not installed: apt-get install libarchive-tools, or dnf install bsdtar.");
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        // In another locale it refuses names that are not ASCII.
        start.Environment["LC_ALL"] = "C.UTF-8";
        // -P: names stay as they are and are refused here, where a person reads why.
        foreach (var argument in (string[])["-c", "-P", "-f", "-", "--format=pax", .. only.SelectMany(path => new[] { "--include", Literally(path) }), "@" + iso])
            start.ArgumentList.Add(argument);

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var complaint = ComplaintAsync(process.StandardError.BaseStream);
        var ended = false;
        try
        {
            await using var output = new LimitedStream(process.StandardOutput.BaseStream, maximum, Patience, time);
            var result = await read(output);
            // What pads the archive. A pipe that is closed before it is empty would kill it, and its verdict with it.
            var padding = new byte[16 * 1024];
            while (await output.ReadAsync(padding, cancellation) > 0)
            {
            }
            await process.WaitForExitAsync(cancellation).WaitAsync(Patience, time, cancellation);
            ended = true;
            return process.ExitCode == 0 ? result : throw Damaged(await complaint);
        }
        catch (TimeoutException)
        {
            throw new ChangeRefusedException(RefusalKind.Invalid, $"bsdtar gave nothing for {Patience.TotalSeconds:0} seconds while it read the ISO image. Is the disk well?");
        }
        catch (ArchiveDamagedException damaged)
        {
            Kill(process);
            throw Damaged(await complaint is { Length: > 0 } said ? said : damaged.Message);
        }
        finally
        {
            if (!ended)
                Kill(process);
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It ended by itself.
        }
    }

    private static ChangeRefusedException Damaged(string complaint) =>
        new(RefusalKind.Invalid, [new Mistake($"The ISO image cannot be read to its end: {complaint}. Download it again") { Path = "iso" }]);

    /// <summary>Its first words on standard error, and nothing of the rest, which is read so that it does not wait.</summary>
    private static async Task<string> ComplaintAsync(Stream error)
    {
        var kept = new MemoryStream();
        var buffer = new byte[LongestComplaint];
        try
        {
            while (await error.ReadAsync(buffer) is var read and > 0)
                kept.Write(buffer, 0, (int)Math.Min(read, LongestComplaint - kept.Length));
        }
        catch (IOException)
        {
            // Killed.
        }
        var line = Encoding.UTF8.GetString(kept.ToArray()).Split('\n')[0].Trim();
        const string Name = "bsdtar: ";
        return Texts.OneLine(line.StartsWith(Name, StringComparison.Ordinal) ? line[Name.Length..] : line, 200).TrimEnd('.');
    }

    /// <summary>A path as a pattern of libarchive that fits itself alone.</summary>
    private static string Literally(string path) => string.Concat(path.Select(c => c is '*' or '?' or '[' or ']' or '\\' ? $"\\{c}" : c.ToString()));

    /// <summary>Counts what comes out of the pipe, and does not wait for it for ever.</summary>
    private sealed class LimitedStream(Stream inner, long maximum, TimeSpan patience, TimeProvider time) : Stream
    {
        private long soFar;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken).AsTask().WaitAsync(patience, time, cancellationToken);
            soFar += read;
            return soFar <= maximum ? read : throw new ChangeRefusedException(RefusalKind.Invalid,
                [new Mistake($"The ISO image unpacks to more than {maximum:N0} bytes") { Path = "iso" }]);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
