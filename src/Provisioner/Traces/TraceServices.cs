using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Provisioner.Appliance;

namespace Provisioner.Traces;

internal static class TraceServices
{
    public static IServiceCollection AddTraces(this IServiceCollection services, TraceOptions options)
    {
        // Without one nobody listens, and the fleet is not looked at for it.
        if (options.Collector is not { } collector)
            return services;
        services.AddHostedService<InstallationTraces>().AddOpenTelemetry().ConfigureResource(resource => resource.AddService("provisioner", serviceVersion: ApplianceStatus.Version, serviceInstanceId: Environment.MachineName))
            .WithTracing(tracing => tracing.AddSource(InstallationTraces.SourceName).AddOtlpExporter(otlp =>
            {
                otlp.Endpoint = collector;
                otlp.Protocol = options.Protocol == TraceProtocol.Http ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
            }));
        return services;
    }
}
