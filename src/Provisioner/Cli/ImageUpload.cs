using System.Net;
using System.Net.Http.Headers;

namespace Provisioner.Cli;

/// <summary>What an image is imported from, as it is sent to the service.</summary>
internal abstract class ImageUpload
{
    /// <summary>Of all of it, before it is sent.</summary>
    public long Bytes { get; protected set; }

    /// <param name="progress">Hears of each piece sent, in bytes.</param>
    public abstract HttpContent Content(Action<long> progress);
}

/// <summary>An ISO image in a file.</summary>
internal sealed class DiscUpload : ImageUpload
{
    private readonly string path;

    private DiscUpload(string path, long bytes)
    {
        this.path = path;
        Bytes = bytes;
    }

    /// <exception cref="CommandFailedException">It cannot be read.</exception>
    public static DiscUpload Of(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            return new(path, file.Length);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"'{path}' cannot be read: {exception.Message}");
        }
    }

    public override HttpContent Content(Action<long> progress) => new DiscContent(_ => Task.FromResult<Stream>(File.OpenRead(path)), Bytes, progress);
}

/// <summary>The bytes of an ISO image.</summary>
internal sealed class DiscContent : HttpContent
{
    private const int BufferSize = 256 * 1024;

    private readonly Func<CancellationToken, Task<Stream>> open;
    private readonly long length;
    private readonly Action<long> progress;

    public DiscContent(Func<CancellationToken, Task<Stream>> open, long length, Action<long> progress)
    {
        this.open = open;
        this.length = length;
        this.progress = progress;
        Headers.ContentType = new MediaTypeHeaderValue(Api.ImageEndpoints.IsoMediaType);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellation)
    {
        await using var from = await open(cancellation);
        var buffer = new byte[BufferSize];
        while (await from.ReadAsync(buffer, cancellation) is var read and > 0)
        {
            await stream.WriteAsync(buffer.AsMemory(0, read), cancellation);
            progress(read);
        }
    }

    protected override bool TryComputeLength(out long result)
    {
        result = length;
        return true;
    }
}
