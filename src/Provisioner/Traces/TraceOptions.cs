using Provisioner.Resources;

namespace Provisioner.Traces;

/// <summary>The configuration key <c>traces</c>: where the way of each host is told to.</summary>
public sealed record TraceOptions
{
    /// <summary>A collector that speaks OTLP (https://opentelemetry.io/docs/specs/otlp/); nobody is told without one.</summary>
    public Uri? Collector { get; init; }

    public TraceProtocol Protocol { get; init; } = TraceProtocol.Grpc;
}

public enum TraceProtocol
{
    Grpc,

    /// <summary>HTTP with protobuf; the path is part of the address.</summary>
    Http,
}

/// <summary>The keys of <c>traces</c>.</summary>
internal static class TraceFields
{
    public static Shape<TraceOptions> Traces { get; } = Declare();

    private static Shape<TraceOptions> Declare()
    {
        var url = Values.WebAddress("an address of a collector", "an http or https URL such as http://collector:4317",
            url => url.UserInfo.Length > 0 || url.Fragment.Length > 0 ? "is no address of a collector" : null);
        var protocol = Values.OneOf("a protocol", ("grpc", TraceProtocol.Grpc), ("http", TraceProtocol.Http));
        var shape = new Shape<TraceOptions>("traces", () => new TraceOptions());
        shape.Optional("collector", url, o => o.Collector, (o, v) => o with { Collector = v }, "A collector of OpenTelemetry.");
        shape.Default("protocol", protocol, o => o.Protocol, (o, v) => o with { Protocol = v }, "How it is spoken to: OTLP by gRPC, or by HTTP.");
        return shape;
    }
}
