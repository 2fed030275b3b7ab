using Provisioner.Backup;
using Provisioner.Doctor;
using Provisioner.Support;

namespace Provisioner.Api;

/// <summary>The REST API, version 1. It is served on the unix socket alone; the boot plane has a server of its own.</summary>
internal static class ApiEndpoints
{
    public static void MapApi(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("/api/v1");
        api.MapResources();
        api.MapHosts();
        api.MapRecords();
        api.MapCertificates();
        api.MapEvents();
        api.MapBoot();
        api.MapImages();
        api.MapArtifacts();
        api.MapAws();
        api.MapNodes();
        api.MapUpgrades();
        api.MapStatus();
        api.MapMachine();
        api.MapBackup();
        api.MapDoctor();
        api.MapSupport();
    }
}
