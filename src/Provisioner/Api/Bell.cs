using System.Threading.Channels;

namespace Provisioner.Api;

/// <summary>Wakes a stream when there is something new. However often it rings, one ring is heard: what is behind it is looked up then.</summary>
internal sealed class Bell
{
    private readonly Channel<bool> rings = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Ring() => rings.Writer.TryWrite(true);

    /// <summary>Waits for it.</summary>
    /// <returns>False when the service stops or the reader left: the stream ends then, it does not fail.</returns>
    public async Task<bool> HearAsync(CancellationToken cancellation)
    {
        try
        {
            await rings.Reader.ReadAsync(cancellation);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
