# Tenant and address are determined for the location and URI that a request has now: not for those before a rewrite, and not
# for an earlier value of a variable in scim_tenant.
# a rewrite, and not for an earlier value of a variable in scim_tenant.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location /globex/ { scim main; scim_auth off; scim_tenant globex; }
    location /open/ {
        scim main; scim_auth off; scim_tenant acme;
        if ($scim_tenant) { rewrite ^/open(/.*) /scim/v2$1 last; }
    }
    location /other-tenant/ {
        scim main; scim_auth off; scim_tenant acme;
        if ($scim_tenant) { rewrite ^/other-tenant(/.*) /globex$1 last; }
    }
    location /break/ {
        scim main; scim_auth off; scim_tenant acme;
        set $seen $scim_tenant;
        rewrite ^/break/x(/.*) /break$1 break;
    }
    location /set/ {
        set $name acme;
        scim main; scim_auth off; scim_tenant $name;
        if ($scim_tenant = acme) { set $name globex; }
    }
    location /try/ {
        scim main; scim_auth off; scim_tenant acme;
        set $seen $scim_tenant;
        try_files /nothing /scim/v2/Users;
    }
    location /named/ {
        scim main; scim_auth off; scim_tenant acme;
        set $seen $scim_tenant;
        try_files /nothing @named;
    }
    location @named { rewrite ^/named(/.*) /scim/v2$1 last; }
    location /error/ {
        scim main; scim_auth off; scim_tenant acme;
        set $seen $scim_tenant;
        error_page 418 = /scim/v2/Users;
        if ($seen) { return 418; }
    }
    location /accel/ { proxy_pass http://127.0.0.1:%%PORT1%%; }
EOS
$t->{http} .= <<'EOC';
    server {
        listen 127.0.0.1:%%PORT1%%;
        location / { add_header X-Accel-Redirect /scim/v2/Users; return 200; }
    }
EOC
$t->conf;
my $token = $t->seed('acme');
my $foreign = $t->token($t->tenant('globex'));
$t->start;
my $c = $t->client(token => $token);
my $user = $Scim::Check::user_urn;
my $id = $c->request(POST => '/scim/v2/Users', json => { schemas => [$user], userName => 'ada' })->{json}{id};
$c->request(POST => '/scim/v2/Users', token => $foreign, json => { schemas => [$user], userName => "g$_" }) for 1, 2;

is_error $t->request(GET => '/open/Users'), 401, '', qr/no Authorization header/,
    'rewrite … last into a location that requires a token, after $scim_tenant was used: 401 without a token';
is $c->request(GET => '/open/Users')->{json}{totalResults}, 1,
    'rewrite … last into a location that requires a token, after $scim_tenant was used: 200 with a token';
is $t->request(GET => '/other-tenant/Users')->{json}{totalResults}, 2,
    'rewrite … last into the location of another tenant serves that tenant';
my $r = $t->request(GET => "/break/x/Users/$id");
is_user $r, 200, 'rewrite … break after $scim_tenant was used serves the new URI';
is $r->{json}{meta}{location}, "http://localhost/break/Users/$id",
    'rewrite … break after $scim_tenant was used: meta.location has the new URI';
is $t->request(GET => '/set/Users')->{json}{totalResults}, 2,
    'scim_tenant with a variable that was changed after $scim_tenant was used serves the new tenant';
is_error $t->request(GET => "$_/Users"), 401, '', qr/no Authorization header/,
    "$_: an internal redirect into a location that requires a token is refused with 401 without one"
    for qw(/try /named /error /accel);
is $c->request(GET => "$_/Users")->{json}{totalResults}, 1,
    "$_: an internal redirect into a location that requires a token is answered with 200 with one"
        for qw(/try /named /error /accel);

$t->finish;
