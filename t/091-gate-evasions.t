#!/usr/bin/perl
# Ways around the gate that a review has found: error pages after a refused login, long records, control characters in a
# header, a flooded log, values of another location.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Test::More;
use Scim;

my $t = Scim->new(http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store size=256m;
    scim_set $required groups.display match=required;
    recursive_error_pages on;
    client_max_body_size 4m;
    subrequest_output_buffer_size 64k;
EOC
    scim_subject $remote_user tenant=acme trusted;
    scim_header X-User $scim_user_name;
    location /scim/v2/ { scim main; client_max_body_size 4m; }
    location = /application { internal; proxy_pass http://127.0.0.1:%%PORT%%/echo; }
    location = /login { internal; proxy_pass http://127.0.0.1:%%PORT%%/echo; }
    location = /echo { return 200 "user=$http_x_user admin=$http_x_admin required=$http_x_required"; }
    location /through { try_files /none /inner; }
    location /inner { auth_basic login; auth_basic_user_file %%DIR%%/users; error_page 401 /login; try_files /none /application; }
    location /as200 { auth_basic login; auth_basic_user_file %%DIR%%/users; error_page 401 =200 /login; try_files /none /application; }
    location /page { auth_basic login; auth_basic_user_file %%DIR%%/users; error_page 401 /login; try_files /none /application; }
    location /claim/ {
        scim_subject $http_x_claim tenant=acme trusted;
        scim_require active;
        scim_header X-Admin $arg_admin;
        scim_header X-Path $uri;
        proxy_pass http://127.0.0.1:%%PORT%%/echo?;
        location /claim/allow/ { scim_on_error allow; proxy_pass http://127.0.0.1:%%PORT%%/echo?; }
        location /claim/filter/ {
            scim_on_error allow;
            scim_require 'filter=title eq "a" or title eq "b" or title eq "c" or title eq "d" or title eq "e" or title eq "f"';
            proxy_pass http://127.0.0.1:%%PORT%%/echo?;
        }
        location /claim/required/ {
            scim_require group=Admins;
            scim_header X-Required $required;
            proxy_pass http://127.0.0.1:%%PORT%%/accel?;
        }
        location /claim/after/ { internal; scim_require active; scim_header X-Required $required; proxy_pass http://127.0.0.1:%%PORT%%/echo?; }
        location /claim/early/ { scim_require active; return 204; }
    }
    location = /accel { add_header X-Accel-Redirect /claim/after/x; return 200 "user=$http_x_required"; }
EOS
$t->write_file('users', "ada:{PLAIN}right\n");
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my $scim = $t->client(token => $token);

sub create {
    my ($name, %more) = @_;
    my $r = $scim->request(POST => '/scim/v2/Users', json => Scim::user($name, %more));
    $r->{status} == 201 or die "create $name: $r->{status} $r->{body}";
    return $r->{json}{id};
}
sub get { my ($path, %headers) = @_; my $r = $t->request(GET => $path, headers => \%headers); return "$r->{status} $r->{body}" }
sub user_of { my ($path, %headers) = @_; return get($path, %headers) =~ /^(\d+) .*?user=(\S*)/s ? "$1 $2" : get($path, %headers) =~ s/ .*//sr }
sub login { return (Authorization => 'Basic ' . encode_base64("$_[0]:$_[1]", '')) }

my $ada = create('ada', active => JSON::PP::true);

# --- a wrong password names nobody, wherever the error page is

for my $path (qw(/inner /as200 /page)) {
    is user_of($path, login(ada => 'right')), '200 ada', "$path: the right password is the user's";
    like user_of($path, login(ada => 'wrong')), qr/^\d+ \z/, "$path: the error page of a wrong password names nobody";
}
like user_of('/through', login(ada => 'wrong')), qr/^\d+ \z/, 'a wrong password after an internal redirect names nobody';
is user_of('/through', login(ada => 'right')), '200 ada', 'the right password after an internal redirect is the user\'s';

# --- records beyond the limit

my $cert = 'A' x 64_000;
create('long', active => JSON::PP::false, x509Certificates => [map { { value => $cert . sprintf '%04d', $_ } } 1 .. 20]);
create('large', active => JSON::PP::true, x509Certificates => [map { { value => $cert . sprintf '%04d', $_ } } 1 .. 20]);
create('medium', active => JSON::PP::true, x509Certificates => [map { { value => $cert . sprintf '%04d', $_ } } 1 .. 12]);
is get('/claim/x', 'X-Claim' => 'long') =~ s/ .*//sr, 403, 'an inactive user with a long record is refused';
is get('/claim/allow/x', 'X-Claim' => 'long') =~ s/ .*//sr, 403, 'and under scim_on_error allow';
is get('/claim/allow/x', 'X-Claim' => 'large') =~ s/ .*//sr, 503, 'scim_on_error allow does not let a user pass whose record is too long';
like $t->log, qr/user "large" of tenant "acme" cannot be judged: .* beyond the limits of the gate/, 'the log says why';
is get('/claim/filter/x', 'X-Claim' => 'medium') =~ s/ .*//sr, 503, 'nor one for whom a filter would take too long';
$t->scimctl(qw(user block --tenant acme large));
is get('/claim/allow/x', 'X-Claim' => 'large') =~ s/ .*//sr, 403, 'a blocked user with a long record is refused';

# --- control characters

is get('/claim/%0d%0aX-Admin:%20yes%0d%0aX-User:%20root', 'X-Claim' => 'ada'), '200 user=ada admin= required=',
    'a value with a line break is not sent';
like $t->log, qr/the value of "scim_header X-Path" contains a control character/, 'the log says so';

# --- who names nobody does not hide other messages

get('/claim/x', 'X-Claim' => "nobody$_") for 1 .. 100;
get('/claim/early/x');
like $t->log, qr/answered without the decision/, 'unknown subjects do not hide an answer without a decision';
create('eve', active => JSON::PP::false);
get('/claim/x', 'X-Claim' => 'eve');
like $t->log, qr/user "eve" of tenant "acme" is not active/, 'unknown subjects do not hide the refusal of a known user';

# --- match=required belongs to the location

$scim->request(POST => '/scim/v2/Groups', json => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Admins',
    members => [{ value => $ada }] });
is get('/claim/required/x', 'X-Claim' => 'ada'), '200 user=ada admin= required=', 'match=required names no group of another location';
$t->quit;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';

# --- a subject of $ssl_client_verify alone

$t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location / { scim_subject $ssl_client_verify tenant=acme; scim_require active; }
EOS
$token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
is $t->request(GET => '/')->{status}, 401, 'a subject of $ssl_client_verify without TLS is none';
$t->quit;
is join('', $t->complaints), '', 'and no alert';
done_testing;
